/// Plain text of our own: short passages about everyday things, none about any data set's facts.
package enum PlainText {
    /// What a model does with text that no edit is about: passages, and prompts about many subjects.
    package static var background: [String] { passages + prompts }

    /// Beginnings of statements, each about several names.
    package static var prompts: [String] {
        templates.enumerated().flatMap { number, template in
            stride(from: number, to: Names.all.count, by: 11).map { template.replacing("{}", with: Names.all[$0]) }
        }
    }

    private static let templates = [
        "People often say that {} is", "The history of {} begins with", "{} was first mentioned in", "What most people remember about {} is",
        "{} is known for its", "The name {} comes from", "A visitor once wrote about {} that", "{}, which is often described as", "In the case of {}, the answer is",
        "Everybody knows {}, the", "The origin of {} is in", "It is said of {} that the language", "The work of {} belongs to the field of",
        "{} can be found in the city of", "The person who created {} was", "{} plays an important part in", "{} was born in the year", "The headquarters of {} are in",
    ]

    package static let passages = [
        "The kettle had just begun to whistle when the phone rang. She turned down the flame, wiped her hands on a towel and answered it on the fourth ring.",
        "To make a simple bread, mix flour, water, salt and a little yeast, and let the dough rise for an hour. Bake it in a hot oven until the crust is brown.",
        "Rain falls when water vapour in a cloud condenses into drops that are too heavy to stay in the air. Some of it evaporates again before it reaches the ground.",
        "The library opens at nine and closes at six, except on Sundays. Books may be borrowed for three weeks and renewed twice if nobody else has asked for them.",
        "He walked along the shore until the lights of the village were behind him. The tide was out, and the wet sand shone like a mirror.",
        "A bicycle stays upright because its front wheel can be steered under the rider. Children learn this without being able to say how they do it.",
        "The meeting was moved to Thursday because half of the team was ill. Please read the report before then and write down your questions.",
        "Trees grow a new ring of wood every year. In a wet summer the ring is wide, and in a dry one it is narrow, so a trunk is a record of the weather.",
        "If the engine does not start, check first whether there is fuel in the tank. Then look at the battery and at the cables that lead to it.",
        "My grandmother kept her recipes in a tin box. Most of them were written on the backs of envelopes, and some had no quantities at all.",
        "A triangle with two equal sides has two equal angles. This can be shown by folding it along the line through its top and the middle of its base.",
        "The cat slept on the warm stones until the shadow of the wall reached it. Then it stretched, looked around, and moved half a metre to the left.",
        "Prices rose a little in the spring and fell again in the autumn. Economists disagreed about the reason, as they had the year before.",
        "The first train was full, so we waited for the next one. It came ten minutes later, and there were seats for everybody.",
        "Sound travels faster in water than in air, and faster still in steel. That is why one can hear a distant train by putting an ear to the rail.",
        "Thank you for your letter. We are sorry that the lamp arrived broken, and we have sent you another one today at no cost.",
        "The function takes a list of numbers and returns their sum. If the list is empty, the result is zero, and no error is raised.",
        "The children built a dam across the stream with stones and mud. It held for an hour, and then the water found a way around it.",
        "A good knife is kept dry and sharpened often. A dull blade slips more easily than a sharp one and is therefore more dangerous.",
        "The patient complained of headaches and tired eyes. The doctor asked how many hours a day he spent in front of a screen.",
        "Snow had fallen during the night, and the street was quiet. Somebody had already cleared a narrow path to the bus stop.",
        "When two colours of paint are mixed, the result is darker than either of them. When two colours of light are mixed, it is brighter.",
        "The court found that the contract had never been signed. Both sides were told to bear their own costs, and neither of them appealed.",
        "Bees tell each other where flowers are by dancing on the comb. The direction of the dance shows the angle to the sun.",
        "We painted the kitchen yellow, and it took the whole weekend. On Monday morning everything still smelled of turpentine.",
        "The old bridge was closed to traffic last year. Engineers found cracks in two of its pillars, and repairs are expected to take until the summer.",
        "To save a file under another name, open the menu and choose the second entry. The original stays as it was.",
        "She had never liked flying. She counted the rows to the exit, read the card in the pocket twice, and closed her eyes.",
        "Salt lowers the temperature at which water freezes. This is why it is scattered on roads in winter, though it harms the plants beside them.",
        "The team lost its first three games and won the next nine. Nobody could explain it, least of all the players.",
        "Please wash your hands before you touch the dough. Cover the bowl with a cloth and put it in a warm place without a draught.",
        "Glass is made by melting sand with soda and lime. Small amounts of metal give it a colour, green from iron and blue from cobalt.",
        "The tenant must give three months' notice in writing. The deposit is returned when the keys have been handed over and nothing is damaged.",
        "A whale is not a fish, although it lives in the sea. It breathes air, is warm, and feeds its young with milk.",
        "He opened the drawer and found a photograph that he did not remember. On the back there was a date, and nothing else.",
        "Most of the energy that a light bulb uses becomes heat. Newer lamps give the same light for a tenth of the current.",
        "The road climbs through pine woods for two hours and then comes out on a meadow. From there one can see both valleys.",
        "If you divide a number by itself, the result is one, unless the number is zero. Division by zero has no result.",
        "The new rules apply from the first of January. Shops have six months to sell what they still have in stock.",
        "In the evening the square fills with people. Some bring chairs, some play chess, and most of them just talk.",
    ]

    /// Passages that no editor ever sees: how far edits move what a model makes of them is measured.
    package static let heldOut = [
        "The lighthouse had been empty for years. Its lamp was gone, but on clear nights the fishermen still used its white wall to find the harbour.",
        "Cheese is made from milk by adding rennet, cutting the curd, and pressing out the whey. Hard kinds are kept for many months before they are sold.",
        "I bought this coat two winters ago and have worn it almost every day since. One button came off, but the lining is as good as new.",
        "A shadow is longest in the morning and in the evening, when the sun is low. At noon it is shortest, and it points to the north or to the south.",
        "The committee will decide next week whether the school gets a new roof. Parents have collected signatures, and the mayor has promised to come.",
        "Put the seeds into damp soil, cover them with glass, and keep them away from direct sunlight. After ten days the first leaves should appear.",
        "The word comes from an old verb that meant to carry. Over the centuries it lost its ending and changed its meaning.",
        "Two trains leave at the same time from stations that are a hundred kilometres apart. One of them is twice as fast as the other. Where do they meet?",
        "He tuned the guitar by ear, slowly, one string after another. Then he played a chord, listened to it fade, and began again.",
        "Passengers are asked to keep their tickets until the end of the journey. Dogs travel free of charge if they fit into a bag.",
        "Steel rusts when water and air reach it together. A thin layer of zinc or paint is enough to prevent this for many years.",
        "The dictionary lists the words in alphabetical order. For each of them it gives the pronunciation, the meaning and an example.",
        "When I was a child, we used to spend every August in a house near a lake. There was no telephone, and the nearest shop was an hour away on foot.",
        "The program reads a file line by line and counts how often each word occurs. At the end it prints the ten most frequent words and their counts.",
        "Birds that eat seeds have short, strong beaks. Those that catch fish have long ones, and some have pouches to carry them.",
        "The jury heard two witnesses before lunch. The first had seen a red car, and the second was sure that it had been green.",
        "An echo is heard when sound is thrown back by a wall or a cliff. The longer it takes to return, the farther away the wall is.",
        "Fold the paper in half, open it again, and fold the corners to the line in the middle. Turn it over and do the same on the other side.",
        "The company made a small profit last year, after three years of losses. It plans to open a second factory and to hire a hundred people.",
        "At night the temperature in the desert falls quickly, because there are no clouds to keep the warmth near the ground.",
        "She wrote the first chapter in a week and the last one in a day. The chapters in between took her eleven years.",
        "A square number is what one gets by multiplying a whole number by itself. The sum of the first odd numbers is always a square.",
        "The ferry does not sail when the wind is stronger than eight. Travellers can change their bookings at the counter or wait for the next day.",
        "Good evening, and thank you for coming. Before we begin, please switch off your phones and note where the exits are.",
    ]
}
