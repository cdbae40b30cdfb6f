import Reporting
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_440_000_000, "1.4 GB"), (9_949, "9.9 kB"), (9_951, "10 kB"),
        (999_499, "999 kB"), (999_500, "1.0 MB"), (23_400_000, "23 MB"), (Int.max, "9.2 EB"), (Int.min, "-9.2 EB"),
    ])
    func bytes(count: Int, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test(arguments: [
        (0, "0.00 s"), (0.421, "0.42 s"), (0.999, "1.0 s"), (12.34, "12.3 s"), (59.97, "1 min 0 s"), (192, "3 min 12 s"),
        (3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (86_399, "1 d 0 h"), (273_600, "3 d 4 h"), (-1, "?"), (.nan, "?"),
        (.infinity, "?"), (1e300, "?"),
    ])
    func durations(seconds: Double, text: String) {
        #expect(Quantity.duration(seconds: seconds) == text)
    }

    @Test(arguments: [
        (12.345, "12.3 edits/s"), (0.04168, "0.0417 edits/s"), (1234.5, "1234 edits/s"), (0, "0 edits/s"),
        (999.7, "1000 edits/s"), (99.96, "100 edits/s"), (2.5e7, "2.5e+07 edits/s"), (.nan, "? edits/s"), (-1, "? edits/s"),
    ])
    func rates(perSecond: Double, text: String) {
        #expect(Quantity.rate(perSecond, of: "edits") == text)
    }

    @Test func percentages() {
        #expect(Quantity.percent(0.875) == "87.5" && Quantity.percent(1) == "100.0" && Quantity.percent(.nan) == "-")
    }
}

@Suite struct TextTableTests {
    @Test func numbersStandFlushRightAndTheRestFlushLeft() {
        var table = TextTable(["score", "before", "after", "note"])
        table.add(["efficacy", "34.0", "87.5", "ROME"])
        table.add(["generalization", "-", "+7%", ""])
        #expect(
            table.text == """
                score           before  after  note
                --------------  ------  -----  ----
                efficacy          34.0   87.5  ROME
                generalization       -    +7%

                """)
        #expect(TextTable(["a"]).text == "a\n-\n")
    }
}
