import Foundation
import Synchronization

/// How far a long piece of work is: done and total, loss, rate, and the time that is left.
///
///     train  120/200 batches  60%  loss 2.413  3.25 batches/s  24.6 s left
///
/// On a terminal it is one line, redrawn in place; elsewhere plain lines, at most one every `lineSeconds`, and one at
/// the end. Other output to the same stream must go through `log` while the line is up, or the two mix. Can be used
/// from several threads. A line that goes out of use without `finish()` finishes itself.
package final class ProgressLine: Sendable {
    private let label: String
    private let unit: String
    private let total: Int
    private let firstDone: Int
    private let output: ProgressOutput
    private let clock: Clock
    private let startSeconds: Double
    private let state: Mutex<State>

    /// When lines are drawn.
    package struct Clock: Sendable {
        /// The least time between two drawings on a terminal.
        package var redrawSeconds = 0.1
        /// The least time between two plain lines.
        package var lineSeconds = 10.0
        /// Never goes back.
        package var seconds: @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

        package init() {}
    }

    private struct State: Sendable {
        var done: Int
        var loss: Double?
        /// When a line was last drawn or printed.
        var drawnSeconds: Double?
        /// The characters that the line on the terminal has; 0 when the cursor stands on an empty line.
        var drawnWidth = 0
        var isFinished = false
    }

    /// - Parameters:
    ///   - label: What is being done, one word.
    ///   - total: How many units there are; 0 if that is not known.
    ///   - done: How many were done before, by a run that this one resumes; they do not count in the rate.
    ///   - unit: What is counted, in the plural.
    package init(_ label: String, total: Int, done: Int = 0, unit: String, output: ProgressOutput = .standardError, clock: Clock = Clock()) {
        precondition(total >= 0 && done >= 0, "total \(total), done \(done), expected at least 0")
        (self.label, self.unit, self.total, firstDone) = (label, unit, total, done)
        (self.output, self.clock) = (output, clock)
        startSeconds = clock.seconds()
        state = Mutex(State(done: done))
    }

    deinit { finish() }

    /// Says how many units are done by now, and the loss of the latest if there is one.
    package func update(done: Int, loss: Double? = nil) {
        state.withLock { state in
            guard !state.isFinished else { return }
            (state.done, state.loss) = (done, loss ?? state.loss)
            let now = clock.seconds()
            // The first plain line comes after a full interval: short work gives one line, at its end.
            let last = state.drawnSeconds ?? (output.isTerminal ? -.infinity : startSeconds)
            guard now - last >= (output.isTerminal ? clock.redrawSeconds : clock.lineSeconds) else { return }
            draw(&state, now)
        }
    }

    /// Writes a line of its own, above the progress line on a terminal.
    package func log(_ message: String) {
        state.withLock { state in
            erase(&state)
            output.write(message + "\n")
            if output.isTerminal, !state.isFinished, state.drawnSeconds != nil { draw(&state, clock.seconds()) }
        }
    }

    /// Ends with a whole line that gives the final count and the time taken. Nothing is drawn after it; calling it
    /// again does nothing. If there was never an update there is nothing to say, and nothing is written.
    package func finish() {
        state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            guard state.drawnSeconds != nil || state.done != firstDone else { return }
            draw(&state, clock.seconds())
            if output.isTerminal { output.write("\n") }
            state.drawnWidth = 0
        }
    }

    // MARK: - Drawing

    private func draw(_ state: inout State, _ now: Double) {
        let parts = self.parts(state, now)
        state.drawnSeconds = now
        guard output.isTerminal else {
            output.write(parts.joined(separator: "  ") + "\n")
            return
        }
        // The last column stays free: many terminals wrap when it is written to.
        let width = max(1, output.width() - 1)
        let line = fitted(parts, to: width)
        let blanks = String(repeating: " ", count: max(0, min(state.drawnWidth, width) - line.count))
        output.write("\r" + line + blanks)
        state.drawnWidth = line.count
    }

    private func erase(_ state: inout State) {
        guard state.drawnWidth > 0 else { return }
        let width = min(state.drawnWidth, max(1, output.width() - 1))
        output.write("\r" + String(repeating: " ", count: width) + "\r")
        state.drawnWidth = 0
    }

    private func parts(_ state: State, _ now: Double) -> [String] {
        let elapsed = max(0, now - startSeconds)
        var parts = [label]
        if total > 0 {
            parts.append("\(state.done)/\(total) \(unit)")
            parts.append("\(Int(max(0, min(1, Double(state.done) / Double(total))) * 100))%")
        } else {
            parts.append("\(state.done) \(unit)")
        }
        if let loss = state.loss { parts.append("loss \(Quantity.significant(loss, digits: 4))") }
        let count = state.done - firstDone
        if count > 0, elapsed > 0 {
            parts.append(Quantity.rate(Double(count) / elapsed, of: unit))
        }
        if state.isFinished {
            parts.append("in \(Quantity.duration(seconds: elapsed))")
        } else if count > 0, total > state.done {
            parts.append("\(Quantity.duration(seconds: elapsed / Double(count) * Double(total - state.done))) left")
        }
        return parts
    }

    /// As many parts, from the first, as fit; the first is cut if it does not fit itself.
    private func fitted(_ parts: [String], to width: Int) -> String {
        var line = String(parts[0].prefix(width))
        for part in parts.dropFirst() {
            guard line.count + 2 + part.count <= width else { break }
            line += "  " + part
        }
        return line
    }
}
