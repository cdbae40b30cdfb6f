// swift-tools-version: 6.1
import PackageDescription

// A program of someone else's that uses the library: sees what is public alone. Scripts/test-consumer.sh builds and runs it.
let package = Package(
    name: "Consumer",
    dependencies: [.package(name: "amend", path: "../..")],
    targets: [.executableTarget(name: "Consumer", dependencies: [.product(name: "Amend", package: "amend")])])
