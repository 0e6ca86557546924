"""The words that the built-in corpus is made of, and the shapes of its sentences.

The words were chosen so that every phone that the synthesiser can make comes up often; rare ones
(zh, oy, uh, th, aw, syllabic l and n) are spread over all word classes. Templates name a word
class in braces; everything else is spoken as written. Nothing here is taken from TIMIT.
"""

from __future__ import annotations

SA_SENTENCES: tuple[str, str] = (
    "Both boys measured the huge yellow garage before they thought about choosing cheap wood.",
    "Her mother would rather bring butter and fish than sing of youth, joy and treasure.",
)
"""The two sentences that every speaker reads."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: dict[str, tuple[str, ...]] = {
    "det": _words("the the the a this that his her their our your each every another my"),
    "plural_det": _words("the the these those his her their our your some few both many"),
    "name": _words(
        "Roy Joyce Ruth Heather Judith George Charlotte Howard Paul Shaun Susan Victor Zoe Hugh "
        "Keith Beth Matthew Dorothy Walter Rita Betty Peter Yusuf Yolanda Gavin Megan Theo Martha "
        "Floyd Troy Louise Luke Kitty Arthur Bjorn Hazel Ethel Milton Jacques"
    ),
    "adjective": _words(
        "noisy royal loyal moist spoiled annoyed joyful beige casual unusual visual hazy lazy "
        "busy good full wooden crooked cushioned woolly youthful useful huge humid yellow thick "
        "thin thorny healthy wealthy northern southern smooth worthy loud brown round proud "
        "drowsy cloudy sour cheap rich Dutch French Chinese fresh harsh foolish English Turkish "
        "precious strange large gentle gigantic ginger magic young long strong pink hungry angry "
        "kind quiet bright tiny vital fuzzy vivid velvet zealous little subtle simple gentle "
        "royal brittle wooden hidden frozen rotten bitten beaten written unwritten sudden certain "
        "better bitter pretty dirty heavy happy fair rare bare dear weary clear pure poor cure "
        "tall broad raw awful cold old low sad black calm dark sharp warm short hot odd soft blue "
        "cool true early curly worthy murky red deaf sick big green sweet cheerful careful "
        "careless private public purple"
    ),
    "noun": _words(
        "boy toy coin voice choice noise oyster poison moisture employer treasure vision garage "
        "leisure collision decision version explosion illusion measure mirage massage book cook "
        "hook foot wood wool bush bull pulpit cushion sugar butcher woman thief thumb theatre "
        "thunder path bath month cloth earth mouth youth truth father mother brother weather "
        "feather leather rhythm house mouse cow crowd flower tower mountain fountain town clown "
        "shower chair cheese chicken church beach bench kitchen teacher picture creature shop "
        "ship sheep fish dish brush station ocean judge jacket giant jungle orange village bridge "
        "cottage soldier engine yacht yard youth onion unicorn uniform king ring song tongue "
        "finger hunger wing evening morning zoo zebra zone music museum reason visitor valley van "
        "vowel vase river oven glove bottle kettle table puzzle apple needle bicycle vehicle "
        "button cotton kitten mitten satin garden lesson ribbon dragon person cousin letter "
        "butter water daughter city party ladder lady body spider winter hammer dinner hat hill "
        "horse hotel whale wheel window queen question square quilt cat hat lamp map bat camera "
        "car heart artist guitar dog doctor pocket clock rock law ball story doorway corner board "
        "boat road stone pony idea pear bear hair beer engineer poet poem cheer moon tooth spoon "
        "shoe ruler bird girl nurse worm pearl sister bell pen desk lake rain bay gate plane kite "
        "pie light sky ice bee tree leaf seed pig lip fig gift cup bug duck uncle country banana "
        "sofa umbrella tomato potato piano violin shark curtain"
    ),
    "plural": _words(
        "boys toys coins voices choices noises oysters treasures visions garages decisions "
        "measures books cooks hooks feet wools bushes bulls cushions butchers women thieves "
        "thumbs paths baths months clothes mouths youths truths fathers mothers brothers feathers "
        "houses mice cows crowds flowers towers mountains fountains towns clowns chairs cheeses "
        "chickens churches benches teachers pictures creatures shops sheep fishes brushes judges "
        "jackets giants oranges villages bridges engines yachts yards onions uniforms kings rings "
        "songs tongues fingers wings evenings zebras zones reasons visitors valleys vans vases "
        "rivers gloves bottles kettles tables puzzles apples needles bicycles buttons gardens "
        "kittens mittens lessons ribbons dragons cousins letters daughters cities parties ladders "
        "bodies spiders hammers dinners hats hills horses whales wheels windows queens squares "
        "cats lamps maps cars hearts artists dogs doctors pockets clocks rocks laws balls stories "
        "boards boats roads stones ponies ideas pears bears hairs engineers poets moons teeth "
        "spoons shoes birds girls nurses pearls sisters bells pens lakes gates planes kites pies "
        "lights bees trees leaves seeds pigs lips gifts cups bugs ducks uncles bananas potatoes "
        "pianos"
    ),
    "verb": _words(
        "enjoyed destroyed avoided joined pointed_at boiled measured treasured envisioned took "
        "shook pushed pulled put_down looked_at thanked threw thought_about bothered gathered "
        "soothed breathed_on found counted shouted_at drowned surrounded chose chased touched "
        "reached watched taught cherished polished washed shared judged joked_about imagined "
        "managed changed arranged used united yelled_at sang_about brought hung thanked "
        "longed_for visited raised noticed sneezed_at loved moved saved drove gave_up juggled "
        "settled startled handled troubled sold hid_from forgot frightened threatened flattened "
        "shortened brightened tightened opened sharpened rewrote painted hated edited admitted "
        "lifted heard hit held helped hurried_past wanted wished_for quickened followed carried "
        "borrowed remembered bought caught saw drew called wore stored cared_for feared steered "
        "admired hired ignored learned turned served burned kept sent led painted faced "
        "lied_about liked tied_up stole broke knew cut covered coloured added asked laughed_at "
        "grabbed stopped walked_past"
    ),
    "infinitive": _words(
        "enjoy destroy avoid join boil measure treasure take shake push pull cook understand "
        "throw think_about bother gather soothe breathe_on find count surround choose chase touch "
        "reach watch teach cherish polish wash share judge imagine manage change arrange use "
        "unite bring hang thank visit raise notice love move save drive juggle settle handle "
        "trouble sell hide frighten threaten flatten shorten brighten tighten open sharpen paint "
        "hate edit admit lift hear hit hold help wish_for follow carry borrow remember buy catch "
        "see draw wear store fear steer admire ignore learn turn serve burn keep send lead face "
        "like steal know cut cover colour add ask grab stop"
    ),
    "adverb": _words(
        "noisily joyfully usually casually fully youthfully smoothly truthfully proudly loudly "
        "cheaply richly freshly harshly strangely gently magically warmly angrily quietly "
        "brightly vividly lazily easily suddenly certainly secretly rarely clearly purely sadly "
        "calmly darkly shortly softly coolly early again together yesterday tomorrow today "
        "tonight now here there somehow anyway alone abroad away twice forever indoors outside"
    ),
    "preposition": _words(
        "near with behind above under beside before after without through around beyond past "
        "beneath between toward against along across"
    ),
    "place": _words(
        "in_the_south at_the_zoo on_the_beach by_the_church in_the_garage under_the_bridge "
        "behind_the_house in_the_valley at_the_theatre in_a_cottage up_north on_the_mountain "
        "near_the_brook at_the_football in_the_woods beside_the_fountain along_the_river "
        "in_the_engine_room at_the_university across_the_ocean in_Asia in_the_usual_way "
        "out_of_the_window in_the_village at_school on_a_Thursday in_July for_a_month "
        "all_day_long after_the_explosion with_pleasure by_choice in_the_morning in_the_evening "
        "at_her_leisure"
    ),
    "modal": _words("should could would might must shall cannot will"),
    "pronoun": _words("he she they we you nobody somebody anything something everyone"),
    "question": _words("why how when where"),
}
"""Word class -> its words; an underscore stands for a space."""

SX_TEMPLATES: tuple[str, ...] = (
    "{det} {adjective} {noun} {verb} {det} {noun}.",
    "{plural_det} {plural} {verb} {det} {adjective} {noun}.",
    "{name} {verb} {det} {noun} {preposition} {det} {noun}.",
    "{plural_det} {adjective} {plural} {modal} {infinitive} {plural_det} {plural}.",
    "{name} and {name} {modal} {infinitive} {det} {adjective} {noun}.",
    "{det} {noun} {place} {verb} {plural_det} {plural} {adverb}.",
)
"""Sentence shapes of the compact (SX) sentences."""

SI_TEMPLATES: tuple[str, ...] = (
    "{question} {modal} {pronoun} {infinitive} {plural_det} {adjective} {plural}?",
    "{pronoun} {adverb} {verb} {plural_det} {plural} {place}.",
    "{name} {modal} {adverb} {infinitive} {name} and {det} {noun}.",
    "{det} {noun} is {adjective}, but {det} {noun} is {adjective}.",
    "{place}, {name} {verb} {det} {adjective} {noun}.",
    "{modal} {name} {infinitive} {plural_det} {adjective} {plural} {place}?",
    "{pronoun} {verb} {name} because {det} {noun} was {adjective}.",
    "if {det} {noun} is {adjective}, {name} {modal} {infinitive} {plural_det} {plural}.",
)
"""Sentence shapes of the freer (SI) sentences."""
