/// Subjects of many kinds, to put into prompts.
enum Names {
    /// What is said of one is said of all of a kind.
    static let kinds = [people, countries, cities, places, organizations, works, things]
    static let all = kinds.flatMap(\.self)

    /// Those of the kind of `name`, where that is known, and all others.
    static func split(by name: String) -> (alike: [String], others: [String]) {
        guard let kind = kinds.firstIndex(where: { $0.contains(name) }) else { return ([], all) }
        return (kinds[kind], kinds.indices.filter { $0 != kind }.flatMap { kinds[$0] })
    }

    static let people = [
        "Marie Curie", "Pablo Neruda", "Ada Lovelace", "Johann Sebastian Bach", "Frida Kahlo", "Nelson Mandela", "Leonhard Euler", "Miles Davis",
        "Virginia Woolf", "Akira Kurosawa", "Emmy Noether", "Simón Bolívar", "Franz Kafka", "Serena Williams", "Galileo Galilei", "Jane Austen",
        "Diego Maradona", "Hannah Arendt", "Charles Darwin", "Umm Kulthum", "Antonio Vivaldi", "Rosa Parks", "Niels Bohr", "Astrid Lindgren",
        "Fyodor Dostoevsky", "Louis Armstrong", "Indira Gandhi", "Alan Turing", "Édith Piaf", "Roald Amundsen", "Toni Morrison", "Ludwig Wittgenstein",
        "Usain Bolt", "Clara Schumann", "Jorge Luis Borges", "Wangari Maathai", "Gustav Mahler", "Florence Nightingale", "Ingmar Bergman", "Haruki Murakami",
        "Muhammad Ali", "Georgia O'Keeffe", "Isaac Newton", "Billie Holiday", "Immanuel Kant", "Chinua Achebe", "Steffi Graf", "Claude Monet",
        "Anna Akhmatova", "Ernest Rutherford", "Bob Marley", "Sofia Kovalevskaya", "Michel Foucault", "Agatha Christie", "Roger Federer", "Mary Shelley",
    ]

    static let countries = [
        "Afghanistan", "Albania", "Algeria", "Angola", "Argentina", "Armenia", "Australia", "Austria", "Azerbaijan", "Bangladesh", "Belarus", "Belgium", "Bolivia",
        "Botswana", "Brazil", "Bulgaria", "Cambodia", "Cameroon", "Canada", "Chad", "Chile", "China", "Colombia", "Costa Rica", "Croatia", "Cuba", "Cyprus",
        "Denmark", "Ecuador", "Egypt", "England", "Estonia", "Ethiopia", "Finland", "France", "Georgia", "Germany", "Ghana", "Greece", "Guatemala", "Haiti",
        "Honduras", "Hungary", "Iceland", "India", "Indonesia", "Iran", "Iraq", "Ireland", "Israel", "Italy", "Jamaica", "Japan", "Jordan", "Kazakhstan", "Kenya",
        "Laos", "Latvia", "Lebanon", "Libya", "Lithuania", "Luxembourg", "Madagascar", "Malaysia", "Mali", "Malta", "Mexico", "Moldova", "Mongolia", "Morocco",
        "Mozambique", "Myanmar", "Namibia", "Nepal", "New Zealand", "Nicaragua", "Nigeria", "North Korea", "Norway", "Pakistan", "Panama", "Paraguay", "Peru",
        "Poland", "Portugal", "Romania", "Russia", "Rwanda", "Saudi Arabia", "Scotland", "Senegal", "Serbia", "Singapore", "Slovakia", "Slovenia", "Somalia",
        "South Africa", "South Korea", "Spain", "Sri Lanka", "Sudan", "Sweden", "Switzerland", "Syria", "Taiwan", "Tanzania", "Thailand", "the Netherlands",
        "the Philippines", "Tunisia", "Turkey", "Uganda", "Ukraine", "Uruguay", "Uzbekistan", "Venezuela", "Vietnam", "Yemen", "Zambia", "Zimbabwe",
    ]

    static let cities = [
        "Amsterdam", "Athens", "Baghdad", "Bangkok", "Barcelona", "Beijing", "Berlin", "Boston", "Brussels", "Budapest", "Buenos Aires", "Cairo", "Cape Town",
        "Chicago", "Copenhagen", "Damascus", "Delhi", "Dublin", "Edinburgh", "Florence", "Geneva", "Hamburg", "Hanoi", "Havana", "Helsinki", "Hong Kong", "Istanbul",
        "Jakarta", "Jerusalem", "Johannesburg", "Karachi", "Kyoto", "Lagos", "Lima", "Lisbon", "London", "Los Angeles", "Lyon", "Madrid", "Manchester", "Manila",
        "Marseille", "Melbourne", "Mexico City", "Milan", "Montreal", "Moscow", "Mumbai", "Munich", "Nairobi", "Naples", "New York", "Osaka", "Oslo", "Paris",
        "Prague", "Rome", "San Francisco", "Santiago", "Seattle", "Seoul", "Shanghai", "Stockholm", "Sydney", "Tehran", "Tokyo", "Toronto", "Vancouver", "Venice",
        "Vienna", "Warsaw", "Washington", "Zurich",
    ]

    static let places = [
        "Lake Victoria", "Mount Kilimanjaro", "the Amazon River", "the Sahara", "the Baltic Sea", "Sicily", "Bavaria", "Texas", "Hokkaido", "Tasmania", "Catalonia",
        "Quebec", "the Brooklyn Bridge", "Machu Picchu", "Edinburgh Castle", "Heathrow Airport", "the Eiffel Tower", "the Great Barrier Reef", "California",
        "the Danube", "Mount Everest", "the Suez Canal", "Central Park", "the Alps", "Antarctica",
    ]

    static let organizations = [
        "Toyota", "Siemens", "Nokia", "Volvo", "Samsung", "Airbus", "Nestlé", "Boeing", "Sony", "Renault", "IBM", "Lufthansa", "the World Health Organization",
        "Oxford University", "FC Barcelona", "the Red Cross", "Pixar", "Deutsche Bank", "NASA", "the BBC", "Intel", "Ferrari", "IKEA", "the Chicago Bulls",
        "Greenpeace", "Harvard University", "Nintendo", "Shell", "the Vienna Philharmonic", "Stanford University",
    ]

    static let works = [
        "Don Quixote", "The Magic Flute", "Casablanca", "War and Peace", "Star Trek", "The Simpsons", "Guernica", "Hamlet", "Seven Samurai", "Pet Sounds",
        "Moby-Dick", "The Starry Night", "Sesame Street", "Bohemian Rhapsody", "The Odyssey", "Spirited Away", "Carmen", "Doctor Who", "Frankenstein",
        "Kind of Blue", "The Seventh Seal", "Les Misérables", "Jurassic Park", "Swan Lake", "The Great Gatsby",
    ]

    static let things = [
        "Windows 95", "the Boeing 747", "the Nobel Prize", "Mercury", "PlayStation 2", "the Fiat 500", "Esperanto", "Linux", "the periodic table", "Saturn",
        "the euro", "Python", "the Toyota Corolla", "penicillin", "the violin", "Android", "the Olympic Games", "gold", "the honeybee", "Buddhism",
    ]
}
