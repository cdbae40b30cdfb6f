import Datasets
import Testing

@Suite struct ContrastPromptsTests {
    @Test(
        arguments: [
            ("The capital of France is", nil, "France"), ("The mother tongue of Danielle Darrieux is", nil, "Danielle Darrieux"),
            ("Who wrote War and Peace?", nil, "War and Peace"), ("France's capital is", nil, "France"), ("iPhone 15 is made by", nil, "iPhone 15"),
            ("In Toronto, the language spoken is", nil, "Toronto"), ("the capital of france is", nil, nil), ("The answer is", nil, nil), ("", nil, nil),
            ("The capital of France is", "capital", "capital"), ("The capital of France is", "Spain", "France"),
        ] as [(String, String?, String?)]) func subjectsAreFound(prompt: String, given: String?, expected: String?)
    {
        #expect(SubjectSpan.subject(of: prompt, given: given) == expected)
    }

    @Test func othersTakeTheSubjectsPlace() throws {
        let edit = Question(prompt: "The capital of Peru is", answer: "Rome"), contrast = ContrastPrompts(count: 12, seed: 3)
        let prompts = contrast.prompts(for: edit, subject: nil).map(\.text)
        #expect(Set(prompts).count == 12 && prompts.allSatisfy { $0.hasPrefix("The capital of ") && $0.hasSuffix(" is") && !$0.contains("Peru") })
        #expect(contrast.prompts(for: edit, subject: "Peru").map(\.text) == prompts)
        #expect(
            Set(ContrastPrompts(count: 999, seed: 3).prompts(for: edit, subject: nil).map(\.text)).isSuperset(
                of: ["Chile", "Hamlet", "Lisbon"].map { "The capital of \($0) is" }))
        #expect(ContrastPrompts(count: 12, seed: 4).prompts(for: edit, subject: nil).map(\.text) != prompts)
        #expect(Array(prompts.prefix(5)) == ContrastPrompts(count: 5, seed: 3).prompts(for: edit, subject: nil).map(\.text))
        #expect(contrast.prompts(for: Question(prompt: "the answer is", answer: "Rome"), subject: nil).isEmpty)
    }

    /// Every other name is of the subject's kind: countries for a country, people for a person.
    @Test func everySecondNameIsOfTheSubjectsKind() {
        func alike(_ subject: String) -> Set<String> {
            let prompts = ContrastPrompts(count: 40, seed: 3).prompts(for: Question(prompt: "\(subject) is", answer: "Rome"), subject: subject).map(\.text)
            return Set(prompts.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
        }
        #expect(alike("Peru").count == 20 && alike("Marie Curie").count == 20 && alike("Peru").isDisjoint(with: alike("Marie Curie")))
        #expect(!alike("Norway").isDisjoint(with: alike("Peru")) && !alike("Ada Lovelace").isDisjoint(with: alike("Marie Curie")))
    }

    @Test func editsWithoutASubjectAreNamed() {
        func record(_ id: String, _ prompt: String, _ subject: String? = nil) -> EditRecord {
            EditRecord(id: id, subject: subject, edits: [Question(prompt: prompt, answer: "Rome")], probes: [])
        }
        let seen = [record("1", "The capital of Peru is"), record("2", "the answer is", "answer")]
        #expect(SubjectSpan.note(on: seen, "so be it") == nil)
        let note = SubjectSpan.note(on: seen + [record("third", "the capital is"), record("4", "it is")], "so be it")
        #expect(note?.hasPrefix("2 records of 4 give no subject") == true && note?.contains("third") == true && note?.hasSuffix(": so be it") == true)
    }
}
