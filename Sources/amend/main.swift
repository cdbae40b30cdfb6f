import SelfTest
import TensorCore
Threads.start(2)
let r = try SelfTest.run(directory: CommandLine.arguments[1]) { print($0.passed, $0) }
