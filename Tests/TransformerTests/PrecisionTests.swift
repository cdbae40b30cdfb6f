import Foundation
import TensorCore
import TestSupport
import Testing
import Transformer

/// Weights as the file has them, decoded to float32, or held as bfloat16.
@Suite struct PrecisionTests {
    private let pack = PackedSequences(microBatches: [randomSequences(4)])

    /// Logits, and the rows of every editable module, of a model edited a little.
    private func numbers(_ model: LanguageModel, _ family: String) throws -> [Float] {
        try model.selectModules(Golden.feedForward(family, "1-3"))
        edit(model)
        return model.logits(of: pack) + model.rows(of: pack, on: .answerTokens).flatMap { $0.keys.elements + $0.gradients.elements }
    }

    @Test(arguments: Golden.families, ["F32", "F16", "BF16"]) func mappedAndDecodedWeightsAgree(family: String, type: String) throws {
        let copy = try ModelCopy(family)
        if type == "F16" { copy.convertWeights(to: type) { Float16($0).bitPattern } }
        if type == "BF16" { copy.convertWeights(to: type) { UInt16(roundedToBrain($0).bitPattern >> 16) } }
        let mapped = try copy.loadModel(), decoded = try copy.loadModel(weights: .float32)
        let parameters = mapped.parameterCount, size = type == "F32" ? 4 : 2
        #expect(mapped.memory == [size * parameters, 0])
        #expect(decoded.memory == (type == "F32" ? mapped.memory : [0, 4 * parameters]))
        let names = ["F32": "float32", "F16": "float16", "BF16": "bfloat16"]
        #expect(mapped.weightTypes.map(\.type) == [names[type]] && mapped.weightTypes.map(\.parameters) == [parameters])
        #expect(decoded.weightTypes.map(\.type) == ["float32"])
        #expect(mapped.fingerprint == decoded.fingerprint)
        expectSame(try numbers(mapped, family), try numbers(decoded, family), "\(family) in \(type)")
    }

    /// Rounding the sides of every product moves the numbers by about bfloat16's relative precision, 2⁻⁸, through a few layers.
    @Test(arguments: Golden.families) func productsMayBeRounded(family: String) throws {
        let model = try Golden(family).loadModel(), exact = try numbers(model, family)
        model.restore()
        model.arithmetic = .bfloat16
        let rounded = try numbers(model, family), error = relativeError(rounded, exact)
        #expect(error > 1e-4 && error < 0.05, "relative error \(error)")
        model.restore()
        model.arithmetic = .float32
        expectSame(try numbers(model, family), exact, "\(family) in float32 again")
    }

    @Test(arguments: Golden.families) func brainFloatsAreMapped(family: String) throws {
        let copy = try ModelCopy(family)
        copy.convertWeights(to: "BF16") { UInt16(roundedToBrain($0).bitPattern >> 16) }
        let model = try copy.loadModel(weights: .bfloat16)
        #expect(model.memory == [2 * model.parameterCount, 0])
    }

    /// A float32 file held as bfloat16 computes what a file of the rounded numbers does.
    @Test(arguments: Golden.families) func float32IsRoundedToNearest(family: String) throws {
        let copy = try ModelCopy(family)
        // What is halfway, a little less and a little more; what the significand's carry takes to the next exponent.
        let ties: [UInt32] = [0x3c01_8000, 0x3c02_8000, 0x3c01_7fff, 0x3c02_8001, 0xbc03_8000, 0x3c7f_ffff, 0x0000_8000, 0x0001_8000, 0x8000_0001]
        for (name, tensor) in copy.tensors where tensor.shape.count == 2 {
            let start = ties.flatMap { littleEndian($0) }
            copy.tensors[name]?.bytes.replaceSubrange(0..<start.count, with: start)
        }
        let rounding = try copy.loadModel(weights: .bfloat16)
        #expect(rounding.memory == [0, 2 * rounding.parameterCount])
        #expect(rounding.weightTypes.map(\.type) == ["bfloat16"])
        let found = try numbers(rounding, family)
        copy.convertWeights(to: "F32") { roundedToBrain($0).bitPattern }
        let rounded = try copy.loadModel(weights: .float32)
        for (one, other) in zip(rounding.editableModules, rounded.editableModules) {
            for row in 0..<one.valueSize { expectSame(one.frozenRow(row), other.frozenRow(row), "row \(row) of \(one.name)") }
        }
        expectSame(found, try numbers(rounded, family), "\(family) rounded")
        #expect(relativeError(found, try numbers(Golden(family).loadModel(), family)) > 1e-4, "nothing was rounded")
    }
}

extension LanguageModel {
    /// Bytes of mapped files, and of this process's own.
    fileprivate var memory: [Int] { [weightMemory.mapped, weightMemory.owned] }
}
