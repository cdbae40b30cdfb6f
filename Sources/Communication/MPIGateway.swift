import CMPI

/// A failure of MPI itself, or a job started in a way that cannot work. The text is one line.
package struct CommunicationError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The gateway of every MPI call that can fail: throws MPI's own error text behind the name of the call.
///
/// - Precondition: called on the thread that started MPI, as MPI_THREAD_FUNNELED demands.
func mpiCheck(_ name: StaticString, _ call: () -> Int32) throws {
    precondition(cmpi_thread_may_call() != 0, "\(name) called on another thread than the one that started MPI")
    let code = call()
    guard code == MPI_SUCCESS else { throw CommunicationError("\(name): \(mpiErrorText(code))") }
}

private func mpiErrorText(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: Int(cmpi_max_error_string()) + 1)
    var length: Int32 = 0
    guard MPI_Error_string(code, &text, &length) == MPI_SUCCESS else { return "error \(code)" }
    let bytes = text.prefix(Int(length)).map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
}
