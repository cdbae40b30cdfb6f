/// Subjects of many kinds, to put into prompts.
enum Names {
    static let all = people + places + organizations + works + things

    static let people = [
        "Marie Curie", "Pablo Neruda", "Ada Lovelace", "Johann Sebastian Bach", "Frida Kahlo", "Nelson Mandela", "Leonhard Euler", "Miles Davis",
        "Virginia Woolf", "Akira Kurosawa", "Emmy Noether", "Simón Bolívar", "Franz Kafka", "Serena Williams", "Galileo Galilei", "Jane Austen",
        "Diego Maradona", "Hannah Arendt", "Charles Darwin", "Umm Kulthum", "Antonio Vivaldi", "Rosa Parks", "Niels Bohr", "Astrid Lindgren",
        "Fyodor Dostoevsky", "Louis Armstrong", "Indira Gandhi", "Alan Turing", "Édith Piaf", "Roald Amundsen", "Toni Morrison", "Ludwig Wittgenstein",
        "Usain Bolt", "Clara Schumann", "Jorge Luis Borges", "Wangari Maathai", "Gustav Mahler", "Florence Nightingale", "Ingmar Bergman", "Haruki Murakami",
        "Muhammad Ali", "Georgia O'Keeffe", "Isaac Newton", "Billie Holiday", "Immanuel Kant", "Chinua Achebe", "Steffi Graf", "Claude Monet",
        "Anna Akhmatova", "Ernest Rutherford", "Bob Marley", "Sofia Kovalevskaya", "Michel Foucault", "Agatha Christie", "Roger Federer", "Mary Shelley",
    ]

    static let places = [
        "Peru", "Norway", "Kenya", "Vietnam", "Portugal", "New Zealand", "Morocco", "Finland", "Argentina", "South Korea", "Ghana", "Hungary", "Canada",
        "Indonesia", "Greece", "Bolivia", "Iceland", "Nigeria", "Turkey", "Denmark", "Vienna", "Osaka", "Nairobi", "Chicago", "Lisbon", "Cairo", "Melbourne",
        "Warsaw", "Lima", "Seoul", "Dublin", "Toronto", "Mumbai", "Helsinki", "Naples", "Havana", "Zurich", "Lake Victoria", "Mount Kilimanjaro",
        "the Amazon River", "the Sahara", "the Baltic Sea", "Sicily", "Bavaria", "Texas", "Hokkaido", "Tasmania", "Scotland", "Catalonia", "Quebec",
        "the Brooklyn Bridge", "Machu Picchu", "Edinburgh Castle", "Heathrow Airport", "the Eiffel Tower", "the Great Barrier Reef",
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
