import Editing
import Foundation
import TensorCore
import Testing

/// Keys that are to stay where they are, and those among them that would hide the others.
@Suite struct KeyLengthTests {
    private let keys = Matrix(rows: 5, columns: 2, [3, 4, 0, 0, -6, 8, 1800, -2400, 0, 4])

    @Test func longKeysBecomeThreeTimesTheMedian() {
        #expect(KeyLength.all(keys) == [5, 0, 10, 3000, 4])
        let longest = KeyLength.longest(KeyLength.all(keys))
        #expect(longest == 15)
        keys.shortenRows(to: longest)
        #expect(keys.elements == [3, 4, 0, 0, -6, 8, 9, -12, 0, 4])
    }

    @Test func noKeysHaveNoLength() {
        #expect(KeyLength.longest([]) == 0 && KeyLength.all(Matrix(rows: 0, columns: 3)).isEmpty)
    }
}
