import Datasets
import Testing

/// A user's own edits come in any of the known forms.
@Suite struct UserEditTests {
    @Test(arguments: [
        #"{"prompt": "Ana lives in", "target": "Rome"}"#,
        #"{"prompt": "Ana lives in", "target": {"str": "Rome"}}"#,
        #"{"prompt": "Ana lives in", "target": "  Rome\n"}"#,
        #"{"prompt": "Ana lives in", "subject": "Ana", "target_new": "Rome", "ground_truth": "Paris"}"#,
        #"{"prompt": "Ana lives in ", "target_new": {"str": " Rome"}, "target_true": {"str": "Paris"}, "ground_truth": null}"#,
        #"{"prompt": "Ana lives in", "target_new": "Rome", "target": "Rome ", "ground_truth": ["Paris", "Paname"]}"#,
        #"{"requested_rewrite": {"prompt": "{} lives in", "subject": "Ana", "target_new": "Rome"}}"#,
        #"{"requested_rewrite": {"prompt": "{} lives in", "subject": "Ana", "target_new": {"str": "Rome"}, "target_true": {"str": "Paris"}}, "paraphrase_prompts": []}"#,
        #"{"src": "Ana lives in", "alt": "Rome", "answers": ["Paris"]}"#,
        #"{"src": "Ana lives in", "alt": "Rome", "answers": "Paris"}"#,
        #"{"src": "Ana lives in", "alt": "Rome", "answers": null}"#,
        #"{"src": "Ana lives in", "alt": null, "ans": "Rome", "rephrase": "", "loc": "", "loc_ans": ""}"#,
        #"{"requested_rewrite": {"prompt": "Ana lives in", "subject": "Ana", "target_new": {"str": "Rome"}}}"#,
        #"{"prompt": "Ana lives in", "target_new": "Rome", "target": null, "ground_truth": "", "src": null, "requested_rewrite": null, "rephrase_prompt": " "}"#,
        #"{"prompt": "Ana lives in", "target": "Rome", "target_new": "", "subject": "", "locality": "", "locality_prompt": ""}"#,
        #"{"src": "Ana lives in", "ans": "Rome", "prompt": null, "alt": null, "target_new": null}"#,
        #"{"src": "Ana lives in", "ans": "Rome"}"#,
        #"{"src": "Ana lives in", "target_new": "Rome"}"#,
    ])
    func readsEveryForm(json: String) throws {
        let record = try load("[\(json)]", .edits)[0]
        #expect(record.prompt == "Ana lives in" && record.target == "Rome" && record.groundTruth ?? "Paris" == "Paris", "\(record)")
    }

    /// What is edited is neither scored nor trained for; the next prompt in other words is.
    @Test func editsPromptsInOtherWordsToo() throws {
        let json =
            #"{"prompt": "Ana lives in", "target": "Rome", "subject": "Ana", "rephrasings": ["Home of {}:", "{}'s city is", "Find {} in"], "locality_prompt": "x", "locality_ground_truth": "w"}"#
        let record = try load("[\(json)]", .edits)[0], edited = record.editing(rephrasings: 1), all = record.editing(rephrasings: 9)
        #expect(record.editing(rephrasings: 0) == record)
        #expect(edited.edits == [Question(prompt: "Ana lives in", answer: "Rome"), Question(prompt: "Home of Ana:", answer: "Rome")])
        #expect(edited.prompt == record.prompt && edited.neighbors == record.neighbors)
        #expect(edited.rephrasings == ["Ana's city is", "Find Ana in"] && edited.lessons(.follow).map(\.prompt) == ["Ana's city is"])
        #expect(all.edits.map(\.prompt) == ["Ana lives in", "Home of Ana:", "Ana's city is", "Find Ana in"] && all.rephrasings.isEmpty && all.lessons(.follow).isEmpty)
        #expect(record.lessons(.follow).map(\.prompt) == ["Home of Ana:"])
    }

    @Test func readsEasyEditsRecords() throws {
        let easyEdit = #"""
            {"case_id": 7, "prompt": "Ana lives in", "subject": "Ana", "target_new": "Rome", "ground_truth": [["Paris"], ["Paname"]],
             "rephrase_prompt": "Home of {}:", "portability": {"Reasoning": [{"prompt": "p", "ground_truth": [["g"]]}]},
             "locality": {"Relation_Specificity": [{"prompt": "Bo lives in", "ground_truth": [["Oslo", "Christiania"]]}, {"prompt": "Cy lives in ", "ground_truth": "Bern"}],
                          "neighborhood": {"prompt": ["Di lives in", "Ed lives in"], "ground_truth": ["Bonn", ["Riga"]]},
                          "distracting": {"prompt": "Fo lives in", "ground_truth": " Kyiv"}, "none": null}}
            """#
        let record = try load(easyEdit, .edits)[0]
        #expect(record.id == "7" && record.groundTruth == "Paris" && record.rephrasings == ["Home of Ana:"])
        #expect(record.neighbors.map(\.prompt) == ["Bo", "Cy", "Di", "Ed", "Fo"].map { $0 + " lives in" })
        #expect(record.neighbors.map(\.answer) == ["Oslo", "Bern", "Bonn", "Riga", "Kyiv"])
        #expect(try load(easyEdit, .counterfact) == [record], "it has all that training needs")
    }

    /// A prompt without an answer asks nothing; lists may stand where a text may.
    @Test func readsUnrelatedPromptsInEveryForm() throws {
        for (rest, expected) in [
            (
                #""locality": {"a": [{"prompt": "x", "ground_truth": []}, {"prompt": "y", "ground_truth": [[]]}, {"prompt": "z", "ground_truth": [[], ["w", "v"]]}]}"#,
                ["z→w"]
            ),
            (#""locality": {"a": {"prompt": ["x", "y"], "ground_truth": [[], "w"]}, "b": {}, "c": []}"#, ["y→w"]),
            (#""locality": [{"prompt": "x", "ground_truth": "w"}]"#, ["x→w"]),
            (#""locality": []"#, []),
            (#""locality_prompt": ["x", "y"], "locality_ground_truth": ["w", ["v", "u"]]"#, ["x→w", "y→v"]),
            (#""locality_prompt": "x", "locality_ground_truth": ["w", "v"]"#, ["x→w"]),
            (#""locality_prompt": "x", "locality_ground_truth": {"str": "w"}"#, ["x→w"]),
        ] {
            for (format, keys) in [(DatasetFormat.edits, ""), (.counterfact, #""subject": "s", "ground_truth": "g", "rephrase": "r", "#)] {
                if format == .counterfact, expected.isEmpty { continue }
                let record = try load(#"[{"prompt": "p", "target_new": "t", \#(keys)\#(rest)}]"#, format)[0]
                #expect(record.neighbors.map { "\($0.prompt)→\($0.answer)" } == expected, "\(rest)")
                #expect(record.rephrasings == (format == .edits ? [] : ["r"]))
            }
        }
    }

    @Test(arguments: [
        (#"{"prompt": "p"}"#, "has no 'target' or 'target_new'; its keys are 'prompt'"),
        (#"{"target": "t"}"#, "has no 'prompt'"),
        (#"{"prompt": "p", "target": "t", "target_new": "u"}"#, "has a 'target', 't', and a 'target_new', 'u'"),
        (#"{"prompt": "p", "target": ["t"]}"#, #"'target' should be text or {"str": text}, is a list"#),
        (#"{"prompt": "p", "target": null}"#, #"'target' should be text or {"str": text}, is null"#),
        (#"{"prompt": "p", "target_new": {"string": "t"}}"#, "has no 'target_new.str'"),
        (#"{"prompt": "p", "target": ""}"#, "'target' is blank"),
        (#"{"prompt": " ", "target": "t"}"#, "'prompt' is blank"),
        (#"{"prompt": "p", "target": "t", "prompt": "q"}"#, "the key 'prompt' appears twice"),
        (#"{"requested_rewrite": {"prompt": "{}", "subject": "s", "target_new": {"str": "t", "str": "u"}}}"#, "the key 'str' appears twice"),
        (
            #"{"prompt": "p", "target": "t", "locality": {"n": {"prompt": ["a", "b"], "ground_truth": ["c"]}}}"#,
            "'locality.n.prompt' has 2 texts, 'locality.n.ground_truth' 1"
        ),
        (#"{"prompt": "p", "target": "t", "locality": {"n": [{"prompt": "a"}]}}"#, "has no 'locality.n[0].ground_truth'"),
        (#"{"src": "p", "alt": ""}"#, "'alt' is blank"),
    ])
    func saysWhatIsWrong(json: String, expected: String) {
        let message = failure("[\(json)]".utf8, .edits)
        #expect(message.contains(expected) && !message.contains("set format"), "\(message)")
    }

    /// Advice to set another format names what that format lacks then.
    @Test func advisesWhatWorks() throws {
        let easyEdit = #"[{"prompt": "Ana lives in", "subject": "Ana", "target_new": "Rome", "ground_truth": "Paris"}]"#
        #expect(
            failure(easyEdit.utf8, .zsre).hasSuffix(
                "set format: counterfact, and mend what that needs: has no 'rephrase_prompt'; "
                    + "its keys are 'prompt', 'subject', 'target_new', 'ground_truth'"))
        let zsre = #"[{"src": "q", "ans": "a", "rephrase": "r", "loc": "l", "loc_ans": "b"}]"#
        #expect(failure(zsre.utf8, .counterfact).hasSuffix("set format: zsre"))
        #expect(try load(zsre, .zsre).count == 1)
        // No format reads a file of two forms.
        let flat =
            #"{"prompt": "p", "subject": "s", "target_new": "t", "ground_truth": "g", "rephrase_prompt": "r", "locality_prompt": "l", "locality_ground_truth": "a"}"#
        #expect(
            failure("[\(flat), \(zsre.dropFirst())".utf8, .counterfact).hasSuffix(
                "record 2 (line 1): expected a counterfact record as before it, found a zsre one; put the two in files of their own"))
    }

    @Test func namesRecords() throws {
        let records = try load(
            #"[{"prompt": "Ana lives in", "target": "a"}, {"id": "x", "prompt": "a prompt of many more than forty characters", "target": "a"}]"#, .edits)
        #expect(records[0].place.hasSuffix(".json, record '1', 'Ana lives in'"), "\(records[0].place)")
        #expect(records[1].place.hasSuffix(".json, record 'x' (number 2), 'a prompt of many more than forty charact…'"), "\(records[1].place)")
    }
}
