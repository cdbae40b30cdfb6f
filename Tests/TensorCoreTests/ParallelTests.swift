import TensorCore
import Testing

/// The pool of threads belongs to the whole process, and only one thread may use it: each test runs in a process of its own.
@Suite struct ParallelTests {
    @Test(arguments: [1, 2, 3]) func everyIndexRunsOnce(threads: Int) async {
        await #expect(processExitsWith: .success) { [threads] in
            Threads.start(threads)
            #expect(Threads.count == threads)
            for count in [0, 1, 2, 3, 64, 1000] {
                for grain in [1, 7, 2000] {
                    let runs = Matrix(rows: 1, columns: max(1, count))
                    parallelFor(count, grain: grain) { runs[0, $0] += 1 }
                    #expect(runs.elements.prefix(count).allSatisfy { $0 == 1 }, "\(count) indices by \(grain)")
                }
            }
        }
    }

    @Test func innerLoopsRunInPlace() async {
        await #expect(processExitsWith: .success) {
            Threads.start(3)
            let runs = Matrix(rows: 20, columns: 30)
            parallelFor(20) { row in parallelFor(30) { runs[row, $0] += 1 } }
            #expect(runs.elements.allSatisfy { $0 == 1 })
        }
    }

    /// Loops follow each other at once, and the pool is replaced between them.
    @Test func manyShortLoops() async {
        await #expect(processExitsWith: .success) {
            let sums = Matrix(rows: 1, columns: 8)
            for threads in [2, 3, 1, 2] {
                Threads.start(threads)
                for _ in 0..<500 { parallelFor(8) { sums[0, $0] += 1 } }
            }
            #expect(sums.elements == Array(repeating: 2000, count: 8))
        }
    }
}
