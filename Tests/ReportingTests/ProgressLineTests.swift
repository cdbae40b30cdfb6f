import Reporting
import Synchronization
import Testing

/// A stream that remembers, a clock that is set, and a window that is resized.
private final class Stage: Sendable {
    private let state = Mutex((text: "", seconds: 100.0, width: 80))

    var text: String { state.withLock { $0.text } }
    func set(seconds: Double) { state.withLock { $0.seconds = 100 + seconds } }
    func set(width: Int) { state.withLock { $0.width = width } }

    func line(isTerminal: Bool, total: Int = 10, done: Int = 0) -> ProgressLine {
        let output = ProgressOutput(isTerminal: isTerminal, width: { self.state.withLock { $0.width } }) { text in
            self.state.withLock { $0.text += text }
        }
        var clock = ProgressLine.Clock()
        clock.seconds = { self.state.withLock { $0.seconds } }
        return ProgressLine("train", total: total, done: done, unit: "batches", output: output, clock: clock)
    }

    /// What a terminal shows after all that was written: "\r" returns to the start of the line and erases nothing.
    var screen: [String] {
        var lines: [[Character]] = [[]]
        var column = 0
        for character in text.unicodeScalars.map(Character.init) {
            switch character {
            case "\n": (lines, column) = (lines + [[]], 0)
            case "\r": column = 0
            default:
                if column < lines[lines.count - 1].count { lines[lines.count - 1][column] = character } else { lines[lines.count - 1].append(character) }
                column += 1
            }
        }
        return lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    }
}

@Suite struct ProgressLineTests {
    @Test func redrawsInPlaceOnATerminal() {
        let stage = Stage()
        let line = stage.line(isTerminal: true)
        line.update(done: 0)
        #expect(stage.screen == ["train  0/10 batches  0%"])
        stage.set(seconds: 2)
        line.update(done: 4, loss: 2.41349)
        #expect(stage.screen == ["train  4/10 batches  40%  loss 2.413  2 batches/s  3.0 s left"])
        stage.set(seconds: 2.05)
        line.update(done: 5, loss: 1)  // too soon after the last drawing
        #expect(stage.screen == ["train  4/10 batches  40%  loss 2.413  2 batches/s  3.0 s left"])
        stage.set(seconds: 5)
        line.update(done: 10, loss: 2)
        line.finish()
        #expect(stage.screen == ["train  10/10 batches  100%  loss 2  2 batches/s  in 5.0 s", ""])
    }

    @Test func whatWasDrawnBeforeLeavesNothingBehind() {
        let stage = Stage()
        let line = stage.line(isTerminal: true)
        stage.set(seconds: 1)
        line.update(done: 1, loss: 0.123456)
        line.log("checkpoint written")
        stage.set(width: 20)
        stage.set(seconds: 3)
        line.update(done: 2)
        #expect(stage.screen[0] == "checkpoint written")
        #expect(stage.screen[1].hasPrefix("train  2/10 batches"))
        line.finish()
        line.finish()
        line.update(done: 3)
        #expect(stage.screen.count == 3 && stage.screen[2] == "")
    }

    @Test func narrowWindowsLoseTheLastPartsFirst() {
        let stage = Stage()
        let line = stage.line(isTerminal: true)
        for (width, shown) in [(27, "train  5/10 batches  50%"), (24, "train  5/10 batches"), (4, "tra"), (0, "t")] {
            let narrow = Stage()
            narrow.set(width: width)
            let line = narrow.line(isTerminal: true)
            narrow.set(seconds: 1)
            line.update(done: 5)
            #expect(narrow.screen == [shown], "width \(width)")
        }
        line.finish()
        #expect(stage.text == "")
    }

    @Test func plainLinesAreFewAndWhole() {
        let stage = Stage()
        let line = stage.line(isTerminal: false, total: 1000, done: 500)
        for second in 1...25 {
            stage.set(seconds: Double(second))
            line.update(done: 500 + 2 * second, loss: 1.5)
        }
        line.log("stopping")
        line.finish()
        #expect(
            stage.text == """
                train  520/1000 batches  52%  loss 1.5  2 batches/s  4 min 0 s left
                train  540/1000 batches  54%  loss 1.5  2 batches/s  3 min 50 s left
                stopping
                train  550/1000 batches  55%  loss 1.5  2 batches/s  in 25.0 s

                """)
    }

    @Test func aLineThatIsDroppedFinishesItself() {
        let stage = Stage()
        do {
            let line = stage.line(isTerminal: true, total: 0)
            stage.set(seconds: 1)
            line.update(done: 3, loss: .nan)
        }
        #expect(stage.screen == ["train  3 batches  loss nan  3 batches/s  in 1.0 s", ""])
    }
}
