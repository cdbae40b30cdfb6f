// swift-tools-version: 6.1
import PackageDescription

// Layers, lowest first; a target imports only from layers below its own.
// Each C library has one gateway: only Communication imports CMPI, only LinearAlgebra imports COpenBLAS,
// only Checkpointing imports CZstd, only Settings imports Yams, only the programs import ArgumentParser.
// What is `public` is the library's, with documentation; the rest is `package`. Sources/README.md says why TensorCore is another matter.
let package = Package(
    name: "amend",
    products: [
        .library(name: "Amend", targets: ["Amend"]), .executable(name: "amend", targets: ["Command"]),
        .executable(name: "amend-benchmark", targets: ["Benchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // 0: C libraries and vector kernels
        .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CKernels"),
        .target(name: "CStartup", dependencies: ["CKernels"]),
        .target(name: "StandardStreams"),
        // 1
        .target(name: "TensorCore", dependencies: ["CKernels"]),
        .target(name: "Documents", dependencies: ["TensorCore"]),
        // 2
        .target(name: "LinearAlgebra", dependencies: ["COpenBLAS", "CKernels", "TensorCore"]),
        .target(name: "Communication", dependencies: ["CMPI", "TensorCore", "StandardStreams"]),
        .target(name: "WeightFiles", dependencies: ["CKernels", "Documents", "TensorCore"]),
        .target(name: "Tokenization", dependencies: ["Documents", "TensorCore"]),
        .target(name: "Settings", dependencies: ["Documents", "TensorCore", "Yams"]),
        .target(name: "Reporting", dependencies: ["Documents", "TensorCore", "StandardStreams"]),
        // 3
        .target(name: "Machine", dependencies: ["CStartup", "LinearAlgebra", "StandardStreams"]),
        .target(name: "Transformer", dependencies: ["CKernels", "Documents", "TensorCore", "LinearAlgebra", "WeightFiles", "Tokenization"]),
        .target(name: "Datasets", dependencies: ["Documents", "TensorCore", "Tokenization"]),
        // 4
        .target(name: "Editors", dependencies: ["CKernels", "TensorCore", "LinearAlgebra", "Transformer"]),
        .target(
            name: "Checkpointing",
            dependencies: ["CZstd", "CKernels", "Documents", "TensorCore", .product(name: "Crypto", package: "swift-crypto")]),
        // 5
        .target(
            name: "Editing",
            dependencies: ["CKernels", "TensorCore", "LinearAlgebra", "Communication", "Tokenization", "Transformer", "Datasets", "Editors", "Settings"]),
        // 6
        .target(name: "Configuration", dependencies: ["Settings", "LinearAlgebra", "Transformer", "Datasets", "Editing"]),
        // 7
        .target(
            name: "Training",
            dependencies: [
                "Documents", "TensorCore", "LinearAlgebra", "Communication", "Tokenization", "Transformer", "Datasets", "Configuration", "Editors",
                "Editing", "Checkpointing", "Reporting", "Settings",
            ]),
        // 8
        .target(
            name: "Evaluation",
            dependencies: [
                "Documents", "TensorCore", "LinearAlgebra", "Communication", "Tokenization", "Transformer", "Datasets", "Configuration", "Editors", "Editing",
                "Training", "Reporting",
            ]),
        .target(
            name: "SelfTest",
            dependencies: [
                "TensorCore", "WeightFiles", "Tokenization", "Communication", "Transformer", "Datasets", "Editors", "Editing", "Settings",
            ]),
        // 9
        .target(
            name: "Tuning",
            dependencies: [
                "Documents", "TensorCore", "Communication", "Tokenization", "Transformer", "Datasets", "Configuration", "Editing", "Training", "Evaluation", "Reporting",
                "Settings",
            ]),
        // 10: the library
        .target(
            name: "Amend",
            dependencies: [
                "TensorCore", "LinearAlgebra", "Communication", "Settings", "Machine", "Tokenization", "Transformer", "Datasets", "Configuration", "Checkpointing",
                "Editing", "Training", "Evaluation",
            ]),
        // 11: the programs
        .executableTarget(
            name: "Command",
            dependencies: [
                "Amend", "Documents", "StandardStreams", "TensorCore", "LinearAlgebra", "Communication", "Tokenization", "Transformer", "Configuration", "Checkpointing",
                "Datasets", "Editing", "Training", "Evaluation", "Tuning", "Reporting", "SelfTest", "Settings", "Machine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "Benchmark",
            dependencies: [
                "CKernels", "Documents", "StandardStreams", "TensorCore", "LinearAlgebra", "Editors", "Checkpointing", "Reporting", "Machine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], path: "Scripts/benchmark/Program"),
        // Tests
        .target(name: "TestSupport", dependencies: ["CKernels", "TensorCore"], path: "Tests/Support"),
        .executableTarget(name: "CommunicationProbe", dependencies: ["Communication", "TensorCore"], path: "Tests/CommunicationProbe"),
        .executableTarget(name: "WriteTinyRun", dependencies: ["TestSupport"], path: "Tests/WriteTinyRun"),
        .testTarget(name: "CommunicationTests", dependencies: ["Communication", "CommunicationProbe", "TestSupport"]),
        .testTarget(
            name: "WeightFilesTests", dependencies: ["WeightFiles", "TensorCore", "TestSupport"], exclude: ["make_fixtures.py"],
            resources: [.copy("Fixtures")]),
        .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "TensorCore"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "CheckpointingTests",
            dependencies: ["Checkpointing", "Documents", "TensorCore", "TestSupport", .product(name: "Crypto", package: "swift-crypto")]),
        .testTarget(name: "TokenizationTests", dependencies: ["TensorCore", "Tokenization", "TestSupport"], resources: [.copy("Fixtures")]),
        .testTarget(name: "DocumentsTests", dependencies: ["Documents", "TensorCore"]),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "Settings", "Editing", "TestSupport"]),
        .testTarget(name: "ReportingTests", dependencies: ["Documents", "TensorCore", "Reporting", "TestSupport"]),
        .testTarget(name: "TensorCoreTests", dependencies: ["CKernels", "TensorCore", "TestSupport"]),
        .testTarget(name: "LinearAlgebraTests", dependencies: ["CKernels", "TensorCore", "LinearAlgebra", "TestSupport"]),
        .testTarget(
            name: "TransformerTests", dependencies: ["TensorCore", "LinearAlgebra", "WeightFiles", "Tokenization", "Transformer", "TestSupport"],
            exclude: ["make_cases.py", "make_gguf.py", "sweep_configuration.py", "sweep_metadata.py"], resources: [.copy("Fixtures")]),
        .testTarget(name: "EditorsTests", dependencies: ["TensorCore", "LinearAlgebra", "Transformer", "Editors", "TestSupport"]),
        .testTarget(
            name: "EvaluationTests",
            dependencies: [
                "Communication", "TensorCore", "Tokenization", "Transformer", "Datasets", "Editors", "Editing", "Evaluation", "TestSupport",
            ]),
        .testTarget(name: "AmendTests", dependencies: ["Command", "Amend", "TestSupport"]),
        .testTarget(
            name: "GoldenTests", dependencies: ["TensorCore", "Tokenization", "WeightFiles", "Transformer", "SelfTest", "TestSupport"],
            exclude: ["make_smollm2_reference.py", "make_prompt_references.py", "make_odd_strings.py"], resources: [.copy("Fixtures")]),
    ]
)
