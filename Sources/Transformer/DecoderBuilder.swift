import TensorCore
import WeightFiles

enum LinearRole: CaseIterable {
    case query, key, value, output, gate, up, down

    var bias: DecoderConfiguration.Bias {
        switch self {
        case .query, .key, .value: .queryKeyValue
        case .output: .attentionOutput
        case .gate, .up, .down: .feedForward
        }
    }
}
enum NormRole: CaseIterable { case input, query, key, attentionOutput, feedForward, feedForwardOutput }

/// What a file calls the parts of a model, without ".weight" and ".bias".
struct TensorNames: Sendable {
    var embedding, head, finalNorm: String
    var positions = ""
    var linear: @Sendable (Int, LinearRole) -> String
    var norm: @Sendable (Int, NormRole) -> String
    /// Where query, key and value lie in one tensor, one after the other.
    var fusedProjection: (@Sendable (Int) -> String)?
}

/// How a file stores a model: names, order, and what may be there or not.
struct StoredForm {
    let names: TensorNames
    /// Hugging Face's names of linear modules, whatever the file calls them.
    let moduleName: @Sendable (Int, LinearRole) -> String
    /// Whether linear weights lie as [keySize, valueSize] (GPT-2's Conv1D).
    var isTransposed = false
    /// What the file leaves out of the norms' weights: 1 in Hugging Face's Gemma files.
    var normOffset: Float = 0
    /// Whether the rows of queries and keys come in neighbouring pairs to be turned, where the engine turns halves (llama.cpp's Llama files).
    var permutesPairs = false
    /// Whether single modules may lack biases of the kinds that the configuration has, but for `requiredBiases`.
    var biasesMayLack = false
    var requiredBiases: Set<DecoderConfiguration.Bias> = []
    /// Tensors that nothing needs; those of the rotaries' frequencies never are.
    var harmless: [HarmlessTensors] = []
    /// Tensors that were read with the configuration.
    var readElsewhere: [String] = []
    /// The sizes that the configuration has, by the file's names, for messages.
    let sizes: String
}

/// Makes a model of the tensors of a file, whose shapes must be those that the configuration implies, and of which none may be left.
struct DecoderBuilder {
    let configuration: DecoderConfiguration
    let source: TensorLedger
    let precision: WeightPrecision
    var form: StoredForm
    /// What is to be said of how the files were understood.
    let notes: [String]

    init(_ configuration: DecoderConfiguration, _ source: any WeightSource, _ precision: WeightPrecision, _ form: StoredForm, notes: [String] = []) {
        self.configuration = configuration
        self.source = TensorLedger(source)
        (self.precision, self.form, self.notes) = (precision, form, notes)
    }

    private var loader: WeightLoader { WeightLoader(precision: precision) }

    /// Throws `BadInput` for a tensor that is missing, of another shape, or of no use.
    func build() throws -> LanguageModel {
        do {
            let model = try assemble()
            for name in form.readElsewhere { _ = source.tensor(name) }
            try source.refuseUnread(form.harmless + [.frequencies])
            return model
        } catch let error as BadInput {
            throw BadInput(error.location, error.problem + " (the configuration has \(form.sizes))")
        }
    }

    private func assemble() throws -> LanguageModel {
        var c = configuration, notes = notes
        let ends = try TiedHead(source, form.names, c).resolve()
        c.hasTiedHead = ends.head == nil
        notes += ends.notes
        let embedding = try loader.weight(ends.embedding)
        let layers = try (0..<c.layerCount).map(layer)  // first: the tables of rotaries are as large as a head, which these tensors bound
        let rotaries = c.rotaries.map { Rotary($0, headSize: c.headSize, positions: min(c.contextLength, LanguageModel.mostPositions)) }
        return LanguageModel(
            c,
            LanguageModel.Parts(
                embedding: embedding,
                positionEmbedding: c.hasLearnedPositions
                    ? try loader.weight(source.require(form.names.positions + ".weight", shape: [c.contextLength, c.hiddenSize])) : nil,
                layers: zip(layers, c.attention).map { layer, attention in
                    DecoderLayer(layer, c, attention, rotary: rotaries.isEmpty ? nil : rotaries[attention.rotary])
                },
                finalNorm: try norm(form.names.finalNorm, c.hiddenSize),
                head: try ends.head.map { try loader.weight($0) } ?? embedding,
                headBias: c.biases.contains(.head) ? try vector(form.names.head + ".bias", c.vocabularySize) : nil), notes: notes)
    }

    private func layer(_ index: Int) throws -> DecoderLayer.Parts {
        let c = configuration
        func norm(_ role: NormRole, _ size: Int) throws -> Norm { try self.norm(form.names.norm(index, role), size) }
        return DecoderLayer.Parts(
            inputNorm: try norm(.input, c.hiddenSize),
            query: try linear(index, .query), key: try linear(index, .key), value: try linear(index, .value), output: try linear(index, .output),
            queryNorm: c.hasHeadNorms ? try norm(.query, c.headSize) : nil,
            keyNorm: c.hasHeadNorms ? try norm(.key, c.headSize) : nil,
            attentionOutputNorm: c.hasOutputNorms ? try norm(.attentionOutput, c.hiddenSize) : nil,
            feedForwardNorm: c.isParallel ? nil : try norm(.feedForward, c.hiddenSize),
            gate: c.isGated ? try linear(index, .gate) : nil,
            up: try linear(index, .up), down: try linear(index, .down),
            feedForwardOutputNorm: c.hasOutputNorms ? try norm(.feedForwardOutput, c.hiddenSize) : nil)
    }

    private func norm(_ name: String, _ size: Int) throws -> Norm {
        Norm(
            weight: try WeightLoader.vector(source.require(name + ".weight", shape: [size]), plus: form.normOffset),
            bias: configuration.normKind == .layer ? try vector(name + ".bias", size) : nil, epsilon: configuration.normEpsilon)
    }

    private func vector(_ name: String, _ size: Int) throws -> Matrix { try WeightLoader.vector(source.require(name, shape: [size])) }

    private func linear(_ layer: Int, _ role: LinearRole) throws -> Linear {
        let c = configuration, shape = shape(role)
        let isFused = form.names.fusedProjection != nil && role.bias == .queryKeyValue
        let name = isFused ? form.names.fusedProjection?(layer) ?? "" : form.names.linear(layer, role)
        let whole = isFused ? c.querySize + 2 * c.keyValueSize : shape.values
        let first =
            switch role {
            case .key where isFused: c.querySize
            case .value where isFused: c.querySize + c.keyValueSize
            default: 0
            }
        let part = first..<first + shape.values
        let tensor = try source.require(name + ".weight", shape: form.isTransposed ? [shape.keys, whole] : [whole, shape.keys])
        let heads =
            switch role {
            case .query where form.permutesPairs: c.headCount
            case .key where form.permutesPairs: c.keyValueHeadCount
            default: 0
            }
        let order = heads > 0 ? Self.halves(rows: shape.values, heads: heads) : nil
        let weight = try loader.weight(tensor, transposed: form.isTransposed, part: part, order: order)
        return Linear(name: form.moduleName(layer, role), weight: weight, bias: try bias(role, name + ".bias", whole: whole, part: part, order: order))
    }

    /// [1, part.count], in the order of the weight's rows; nil where there is none.
    private func bias(_ role: LinearRole, _ name: String, whole: Int, part: Range<Int>, order: ((Int) -> Int)?) throws -> Matrix? {
        guard configuration.biases.contains(role.bias) else { return nil }
        if form.biasesMayLack, !form.requiredBiases.contains(role.bias), source.tensor(name) == nil { return nil }
        let elements = try vector(name, whole).elements
        return Matrix(rows: 1, columns: part.count, part.map { elements[order?($0) ?? $0] })
    }

    /// The row (head, pair, half) of a llama.cpp file that is row (head, half, pair) here.
    private static func halves(rows: Int, heads: Int) -> (Int) -> Int {
        let half = rows / heads / 2
        return { row in
            let (head, place) = row.quotientAndRemainder(dividingBy: 2 * half)
            let (side, pair) = place.quotientAndRemainder(dividingBy: half)
            return head * 2 * half + pair * 2 + side
        }
    }

    private func shape(_ role: LinearRole) -> (values: Int, keys: Int) {
        let c = configuration
        return switch role {
        case .query: (c.querySize, c.hiddenSize)
        case .key, .value: (c.keyValueSize, c.hiddenSize)
        case .output: (c.hiddenSize, c.querySize)
        case .gate, .up: (c.intermediateSize, c.hiddenSize)
        case .down: (c.hiddenSize, c.intermediateSize)
        }
    }
}

extension TensorNames {
    /// GGUF's names, for every family.
    static let gguf = TensorNames(
        embedding: "token_embd", head: "output", finalNorm: "output_norm", positions: "position_embd",
        linear: { layer, role in
            let name =
                switch role {
                case .query: "attn_q"
                case .key: "attn_k"
                case .value: "attn_v"
                case .output: "attn_output"
                case .gate: "ffn_gate"
                case .up: "ffn_up"
                case .down: "ffn_down"
                }
            return "blk.\(layer).\(name)"
        },
        norm: { layer, role in
            let name =
                switch role {
                case .input: "attn_norm"
                case .query: "attn_q_norm"
                case .key: "attn_k_norm"
                case .attentionOutput: "post_attention_norm"
                case .feedForward: "ffn_norm"
                case .feedForwardOutput: "post_ffw_norm"
                }
            return "blk.\(layer).\(name)"
        })
}
