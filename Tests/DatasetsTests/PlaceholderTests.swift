import Datasets
import Testing

/// A place left for the subject is filled with it, wherever a prompt about the subject is read, and nowhere else.
@Suite struct PlaceholderTests {
    @Test(arguments: [
        ("{} is in", "Ana", "Ana is in"),
        ("{subject} is in", "Ana", "Ana is in"),
        ("{}, {} and {subject}", "Ana", "Ana, Ana and Ana"),
        ("Ana is in", "Ana", "Ana is in"),
        ("She is in", "Ana", "She is in"),
        ("{} is in", "{} {subject} {0}", "{} {subject} {0} is in"),
        ("{{}} is an empty set of {}", "Python", "{} is an empty set of Python"),
        ("{{subject}} is a name in {}", "Ana", "{subject} is a name in Ana"),
        ("{ } {x} {1} }{ is Ana's", "Ana", "{ } {x} {1} }{ is Ana's"),
        ("int a[] = {0}; in C sets", "C", "int a[] = {0}; in C sets"),
        ("[X] is a place, Ana knows", "Ana", "[X] is a place, Ana knows"),
        ("a[x] is", "indexing", "a[x] is"),
        ("&{word} is", "bold", "&{word} is"),
        ("{}́ is in", "Ana", "Ana\u{301} is in"),
        ("{} is in  ", "Ana", "Ana is in"),
        ("A:\n", "Ana", "A:\n"),
    ])
    func fills(template: String, subject: String, prompt: String) throws {
        let json = #"[{"prompt": \#(quoted(template)), "subject": \#(quoted(subject)), "target": "t"}]"#
        #expect(Array(try load(json, .edits)[0].prompt.unicodeScalars) == Array(prompt.unicodeScalars))
    }

    @Test func fillsInEveryForm() throws {
        let flat = #"""
            [{"prompt": "{} lives in", "subject": "Ana", "target_new": "Rome", "ground_truth": "Paris", "rephrase_prompt": "Home of {}:",
              "locality_prompt": "Bo lives in", "locality_ground_truth": "Oslo"}]
            """#
        for format in [DatasetFormat.counterfact, .edits] {
            let record = try load(flat, format)[0]
            #expect(record.prompt == "Ana lives in" && record.rephrasings == ["Home of Ana:"] && record.target == "Rome" && record.groundTruth == "Paris")
            #expect(record.neighbors == [Question(prompt: "Bo lives in", answer: "Oslo")])
        }
        let nested = #"""
            [{"requested_rewrite": {"prompt": "{} lives in", "subject": "Ana", "target_new": {"str": "Rome"}, "target_true": {"str": "Paris"}},
              "paraphrase_prompts": ["Home of {}:"], "neighborhood_prompts": ["Bo lives in"]}]
            """#
        for format in [DatasetFormat.counterfact, .edits] {
            let record = try load(nested, format)[0]
            #expect(record.prompt == "Ana lives in" && record.rephrasings == ["Home of Ana:"])
        }
        let texts = nested.replacing(#"{"str": "Rome"}"#, with: #""Rome""#).replacing(#"{"str": "Paris"}"#, with: #""Paris""#)
        #expect(try load(texts, .counterfact) == load(nested, .counterfact), "answers as texts")
        let zsre = #"[{"src": "Where is {}?", "subject": "Ana", "rephrase": "{} is where?", "ans": "Rome", "loc": "q", "loc_ans": "a"}]"#
        for format in [DatasetFormat.zsre, .edits] {
            let record = try load(zsre, format)[0]
            #expect(record.prompt == "Where is Ana?" && record.rephrasings == ["Ana is where?"])
        }
        let plain = try load(#"[{"prompt": "{} is", "subject": "Ana", "target": "t", "rephrasings": ["is {}", "{} was"]}]"#, .edits)[0]
        #expect(plain.rephrasings == ["is Ana", "Ana was"])
    }

    /// Answers are text as it is.
    @Test func leavesAnswersAlone() throws {
        let record = try load(#"[{"prompt": "An empty dictionary is", "subject": "dict", "target": "{}"}]"#, .edits)[0]
        #expect(record.target == "{}")
    }

    @Test(
        arguments: [
            (
                #"[{"prompt": "a", "target": "t"}, {"prompt": "{} is", "target": "t"}]"#, DatasetFormat.edits,
                "record 2 (line 1): 'prompt' has a {} for a subject, but the record has no 'subject'; give it one, or write {{}} if"
            ),
            (#"[{"prompt": "{subject} is", "target": "t", "subject": null}]"#, .edits, "'prompt' has a {subject} for a subject"),
            (#"[{"prompt": "{} is", "target": "t", "subject": "  "}]"#, .edits, "'prompt' has a {} for a subject"),
            (#"[{"prompt": "x", "target": "t", "rephrasings": ["y", "{} z"]}]"#, .edits, "'rephrasings' has a {} for a subject"),
            (#"[{"prompt": "{0} is", "target": "t", "subject": "Ana"}]"#, .edits, "'prompt' has a {0}, and the subject is not in it; write {}"),
            (#"[{"prompt": "{Subject} is", "target": "t", "subject": "Ana"}]"#, .edits, "'prompt' has a {subject}, and the subject is not in it; write {}"),
            (#"[{"prompt": "[X] is located in", "target": "t", "subject": "Ana"}]"#, .edits, "'prompt' has a [X], and the subject is not in it; write {}"),
            (#"[{"prompt": "Ana is", "target": "t", "subject": "Ana", "rephrase_prompt": "<subject> was"}]"#, .edits, "'rephrase_prompt' has a <subject>, and"),
            (#"[{"src": "{} is", "ans": "t", "rephrase": "r", "loc": "l", "loc_ans": "a"}]"#, .zsre, "'src' has a {} for a subject"),
            (
                #"[{"src": "s", "subject": "s", "ans": "t", "rephrase": "r", "loc": "{} l", "loc_ans": "a"}]"#, .zsre,
                "'loc' has a {}, but it must not be about the record's subject"
            ),
            (
                #"[{"prompt": "{} is", "subject": "s", "target_new": "t", "ground_truth": "g", "rephrase_prompt": "r", "locality_prompt": "{} l", "locality_ground_truth": "a"}]"#,
                .counterfact, "'locality_prompt' has a {}, but it must not be about the record's subject"
            ),
            (
                #"[{"requested_rewrite": {"prompt": "{}", "subject": "s", "target_new": {"str": "t"}, "target_true": {"str": "t"}}, "paraphrase_prompts": ["p"], "neighborhood_prompts": ["{} n"]}]"#,
                .counterfact, "'neighborhood_prompts' has a {}, but it must not"
            ),
        ] as [(String, DatasetFormat, String)])
    func refusesPlacesWithoutASubject(json: String, format: DatasetFormat, expected: String) {
        let message = failure(json.utf8, format)
        #expect(message.contains(expected), "\(message)")
    }

    private func quoted(_ text: String) -> String {
        "\"" + text.replacing("\n", with: "\\n").replacing("\"", with: "\\\"") + "\""
    }
}
