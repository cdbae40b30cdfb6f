import Datasets
import Testing

/// Forms whose records have more than an edit, its rephrasing and a neighbour; and FEVER.
@Suite struct ManyFactsTests {
    // MARK: MQuAKE

    private static let chain = #"""
        [{"case_id": 7, "requested_rewrite": [
            {"prompt": "{} is a citizen of", "relation_id": "P27", "target_new": {"str": "Croatia"}, "target_true": {"str": "Peru"}, "subject": "Ana Lind",
             "question": "What country is {} a citizen of?"},
            {"prompt": "The capital of {} is", "target_new": {"str": "Split"}, "target_true": {"str": "Zagreb"}, "subject": "Croatia"}],
          "questions": ["What is the capital of Ana Lind's country? ", "Ana Lind's country has which capital?"],
          "answer": "Lima", "answer_alias": [], "new_answer": "Split", "new_answer_alias": ["Spalato", "Split"],
          "new_single_hops": [{"question": "Which country is Ana Lind from?", "cloze": "Ana Lind is from", "answer": "Croatia", "answer_alias": ["Hrvatska"]}],
          "single_hops": [], "orig": {"triples": []}}]
        """#

    @Test func allEditsOfACaseAreMadeTogether() throws {
        let record = try #require(try load(Self.chain, nil).first)
        #expect(record.id == "7" && record.subject == "Ana Lind" && record.groundTruth == "Peru")
        #expect(record.edits == [Question(prompt: "Ana Lind is a citizen of", answer: "Croatia"), Question(prompt: "The capital of Croatia is", answer: "Split")])
        #expect(record.probes.map(\.kind.name) == ["efficacy", "efficacy", "generalization", "single-hop", "multi-hop"])
        #expect(record.probes[0].expectation == .answer("Croatia", over: "Peru") && record.probes[1].expectation == .answer("Split", over: "Zagreb"))
        #expect(record.probes[2].prompt == "What country is Ana Lind a citizen of?" && record.probes[2].lesson == .follow)
        #expect(record.probes[3].expectation == .oneOf(["Croatia", "Hrvatska"]))
    }

    /// One of the questions is enough, in any spelling.
    @Test func oneQuestionOfACaseIsEnough() throws {
        let probe = try #require(try load(Self.chain, .mquake).first?.probes.last)
        #expect(probe.prompt == "What is the capital of Ana Lind's country?" && probe.expectation == .oneOf(["Split", "Spalato"]))
        #expect(probe.companions == [Probe.Query("Ana Lind's country has which capital?", ["Split", "Spalato"])] && !probe.needsAllCompanions)
    }

    @Test(arguments: [
        (#"[{"requested_rewrite": []}]"#, "'requested_rewrite' is empty; expected at least one edit"),
        (#"[{"requested_rewrite": ["x"]}]"#, "'requested_rewrite[0]' should be an object, is the text 'x'"),
        (#"[{"requested_rewrite": [{"subject": "s", "prompt": "{} is"}]}]"#, "has no 'requested_rewrite[0].target_new'"),
        (#"[{"requested_rewrite": [{"subject": "s", "prompt": "{} is", "target_new": "t"}]}]"#, "has no 'new_answer'"),
        (#"[{"requested_rewrite": [{"subject": "s", "prompt": "{} is", "target_new": "t"}], "new_answer": "a", "questions": []}]"#, "'questions' is empty"),
    ]) func badCases(text: String, expected: String) {
        let message = failure(text.utf8, nil)
        #expect(message.contains(expected), "\(message)")
    }

    // MARK: RippleEdits

    private static let ripples = #"""
        [{"example_type": "recent",
          "edit": {"prompt": "The name of the mother of Ana is Lind is Bea Holm.", "relation": "MOTHER", "original_fact": {"prompt": "The name of the mother of Ana is Lind is Cleo."}},
          "Logical_Generalization": [{"test_queries": [{"prompt": "The siblings of Ana are ", "answers": [{"value": "Dan", "aliases": ["Danny"]}, {"value": "Eve"}], "query_type": "regular"},
                                      {"prompt": "Dan's sister is", "answers": [{"value": "Ana", "aliases": []}]}],
                                      "test_condition": "AND", "condition_queries": [{"prompt": "The child of Bea Holm is", "answers": [{"value": "Dan"}]}]}],
          "Compositionality_I": [], "Compositionality_II": null,
          "Subject_Aliasing": [{"test_queries": [{"prompt": "The name of the mother of A. Lind is", "answers": [{"value": "Bea Holm"}]}], "test_condition": "OR", "condition_queries": []}],
          "Forgetfulness": [{"test_queries": [{"prompt": "x", "answers": []}]}],
          "Relation_Specificity": [{"test_queries": [{"prompt": "The name of the father of Ana is", "answers": [{"value": "Finn"}]}], "test_condition": "OR"}]}]
        """#

    @Test func anEditIsTheStatementWithoutItsAnswer() throws {
        let record = try #require(try load(Self.ripples, nil).first)
        #expect(record.edits == [Question(prompt: "The name of the mother of Ana is Lind is", answer: "Bea Holm")])
        #expect(record.groundTruth == "Cleo" && record.probes[0].expectation == .answer("Bea Holm", over: "Cleo"))
        let madeUp = try load(#"[{"edit": {"prompt": "The siblings of Ana are Bo"}}]"#, .rippleedits)
        #expect(madeUp[0].edits == [Question(prompt: "The siblings of Ana are", answer: "Bo")] && madeUp[0].probes.map(\.expectation) == [.tokens("Bo")])
    }

    /// What has no answer is left out.
    @Test func criteriaAreKinds() throws {
        let probes = try #require(try load(Self.ripples, .rippleedits).first).probes
        #expect(probes.map(\.kind.name) == ["efficacy", "logical-generalization", "subject-aliasing", "relation-specificity"])
        #expect(probes.map(\.lesson) == [nil, nil, .follow, .keep])
        #expect(probes[1].prompt == "The siblings of Ana are" && probes[1].expectation == .oneOf(["Dan", "Danny", "Eve"]))
        #expect(probes[1].companions == [Probe.Query("Dan's sister is", ["Ana"])] && probes[1].needsAllCompanions)
        #expect(probes[1].conditions == [Probe.Query("The child of Bea Holm is", ["Dan"])] && probes[2].conditions.isEmpty && !probes[2].needsAllCompanions)
    }

    @Test(arguments: [
        (#"[{"edit": {"prompt": "Bo"}}]"#, "'edit.prompt' has no ' is ' that the new answer follows: 'Bo'"), (#"[{"edit": {}}]"#, "has no 'edit.prompt'"),
        (#"[{"edit": {"prompt": "Ana is  ."}}]"#, "'edit.prompt' has nothing before or behind its ' is '"),
        (
            #"[{"edit": {"prompt": "Ana is Bo"}, "Forgetfulness": [{"test_queries": [{"prompt": "p", "answers": [{"value": "v"}]}], "test_condition": "XOR"}]}]"#,
            "'Forgetfulness[0].test_condition' is 'XOR'; expected OR or AND"
        ),
        (
            #"[{"edit": {"prompt": "Ana is Bo"}, "Forgetfulness": [{"test_queries": [{"answers": [{"value": "v"}]}]}]}]"#,
            "has no 'Forgetfulness[0].test_queries[0].prompt'"
        ),
    ]) func badTests(text: String, expected: String) {
        let message = failure(text.utf8, nil)
        #expect(message.contains(expected), "\(message)")
    }

    /// To edit with, the edits are enough; what else there is is read too.
    @Test func areUsersEditsToo() throws {
        let rewrites = #"[{"requested_rewrite": [{"subject": "s", "prompt": "{} is", "target_new": "t"}, {"subject": "u", "prompt": "{} has", "target_new": "v"}]}]"#
        #expect(try load(rewrites, .edits)[0].edits == [Question(prompt: "s is", answer: "t"), Question(prompt: "u has", answer: "v")])
        #expect(try load(Self.chain, .edits) == load(Self.chain, .mquake) && load(Self.ripples, .edits) == load(Self.ripples, .rippleedits))
        let claim = #"{"prompt": "p", "equiv_prompt": "q", "alt": "false"}"#
        #expect(try load(claim, .edits) == load(claim, .fever))
    }

    // MARK: FEVER

    @Test func claimsHaveVerdicts() throws {
        let text = #"""
            {"prompt": "Ana wrote Moon.", "equiv_prompt": ["Moon is by Ana.", "The author of Moon is Ana."], "unrel_prompt": "Bo sang Sun.", "alt": "true", "unrel_ans": "false"}
            {"prompt": "p", "equiv_prompt": "q", "alt": "false"}
            """#
        let records = try load(text, nil)
        #expect(try records == load(text, .fever) && records[0].edits == [Question(prompt: "Ana wrote Moon.", answer: "true")])
        #expect(
            records[0].rephrasings == ["Moon is by Ana.", "The author of Moon is Ana."] && records[0].neighbors == [Question(prompt: "Bo sang Sun.", answer: "false")])
        #expect(records[0].probes.allSatisfy { if case .tokens = $0.expectation { true } else { false } })
        #expect(records[1].neighbors.isEmpty && records[1].id == "2")
        #expect(failure(#"{"prompt": "p", "equiv_prompt": ["q"]}"#.utf8, nil).contains("has no 'alt'"))
        #expect(failure(#"{"prompt": "p", "equiv_prompt": ["q"], "alt": "true", "unrel_prompt": "r"}"#.utf8, nil).contains("has no 'unrel_ans'"))
    }
}
