"""The sample's dialogue: questions with the answers that belong to them, and what fills their gaps.

Every exchange depends on its key only. Standard library only; must not import Django.
"""

import json
from typing import Final

from console.sample.objects import number, pick

SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "name": (
        "Maren",
        "Tobias",
        "Priya",
        "Joao",
        "Sunniva",
        "Emeka",
        "Lucia",
        "Yusuf",
        "Halina",
        "Owen",
        "Chiara",
        "Bao",
    ),
    "product": (
        "the 28 cm cast iron skillet",
        "the copper saucepan",
        "the walnut chopping board",
        "the paring knife set",
        "the enamel roasting tin",
        "the moka pot for six",
        "the stoneware pie dish",
        "the pepper mill",
        "the fish kettle",
        "the hand-cranked pasta machine",
        "the carbon steel wok",
        "the milk frother",
        "the glass storage jar",
    ),
    "shop": ("Bristol", "Leeds", "Ghent", "Aarhus", "Utrecht", "Porto"),
    "city": (
        "Lyon",
        "Bologna",
        "Gothenburg",
        "Krakow",
        "Basel",
        "Antwerp",
        "Turin",
        "Salzburg",
        "Malmo",
        "Nantes",
    ),
    "fair": (
        "the tableware fair",
        "the ceramics fair",
        "the supplier meeting",
        "the autumn trade show",
        "the glassworks visit",
    ),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "vendor": (
        "Brandl Eisenwaren",
        "Tessaro Ceramics",
        "Noorderlicht Logistics",
        "Pemberton Packaging",
        "Oliveira Cork",
        "Hartmoor Energy",
        "Lindqvist Cleaning",
        "Castellan Insurance",
    ),
    "account": ("4010", "4980", "6805", "6330", "6820", "4360", "0650"),
    "produkt": (
        "die Gusseisenpfanne",
        "der Kupfertopf",
        "das Nudelbrett",
        "die Pfeffermühle",
        "der Bräter",
        "das Messerset",
        "die Espressokanne",
        "die Auflaufform",
    ),
    "nachname": (
        "Frau Albers",
        "Herr Demirci",
        "Frau Quast",
        "Herr Brunnhuber",
        "Frau Ostrowski",
        "Herr Veith",
    ),
}


def _pairs(block: str) -> tuple[tuple[str, str], ...]:
    lines = block.strip().splitlines()
    return tuple(zip(lines[::2], lines[1::2], strict=True))


# Lines alternate: a question, then its answer.
DESK: Final = _pairs(
    """
Where is my order {order}? It was promised for {day}.
Order {order} left our warehouse in {shop} and should reach you on {day} before six.
Can I put {product} into the dishwasher?
Better not. Wash {product} by hand with warm water, dry it at once and it will last for decades.
Is {product} in stock at your shop in {shop}?
Yes, {shop} has {count} pieces. I can't hold one for you, but the shop can until closing time.
{product} arrived with a scratch. What do I do now?
I'm sorry about that. Please send a picture; a colleague decides within two working days.
I would like to return {product}. I bought it {count} days ago.
You have 30 days from the day it arrived. Please write {order} on the parcel so that we can match it.
Does {product} work on an induction hob?
It does if a magnet sticks to the bottom. For {product} our data sheet says yes, up to level 7.
My invoice for {order} shows the wrong address.
I've noted it. You will get a corrected invoice for {order} by e-mail on {day}.
How do I get burnt milk off {product}?
Soak it with two spoons of soda for {count} minutes, then a wooden spatula. No steel wool, please.
Can {name} pick up order {order} for me?
Yes. {name} needs the order number and a piece of identification.
Do you sharpen knives?
In {shop}, every {day} from ten. {count} knives at most, please, and wrapped in a cloth.
Is there a warranty on {product}?
Two years by law, and we add {count} months for members. Keep the receipt for {order}.
What's the difference between {product} and the cheaper one?
Mostly the handle and the weight: {product} is {count}00 g heavier and holds its heat longer.
"""
)
TRIPS: Final = _pairs(
    """
I have to be in {city} on {day} at 10:00 for {fair}. Which train?
Take the 06:{minute}, one change; you arrive in {city} at 09:{minute}, a short walk from the hall.
Find a room in {city} for {count} nights, not above 140 a night.
Two fit: a small house by the station (118) and one at the river (136). Both can be cancelled until {day}.
Do I need a power adapter in {city}?
In Basel yes, elsewhere on your list no. The plugs of {city} take a flat two-pin.
{name} is coming too. Can we sit together?
Seats {count}1 and {count}2 in coach 7 are free, window and aisle. Shall I note them for {name}?
What is the weather in {city} on {day}?
Mostly dry, {count} degrees in the morning. Take a light coat.
How long do I need from the station of {city} to {fair}?
{minute} minutes by tram, line {count}; a taxi is hardly faster in the morning.
Please move my return to {day} evening.
Done in the plan: {day}, 18:{minute}, arriving home at 23:{minute}.
Which receipts do I keep?
Hotel, tram and anything above {count} euros. The daily allowance needs no receipts.
Is there a good place for dinner with {vendor} in {city}?
Three within ten minutes' walk; the quietest takes tables for {count} until {day}.
Can I take samples of {product} as hand luggage?
Yes on the train. On a plane no blades over 6 cm; send knives ahead to {city}.
"""
)
LEDGER: Final = _pairs(
    """
Invoice {order} from {vendor}: which account?
Book it to {account}. The delivery note is dated {day}, so the month is right.
{vendor} charged us twice, {amount} each. What do I book?
Keep the first on {account}, put the second on the clearing account and ask {vendor} for a credit note.
Is a coffee machine for {amount} a low-value asset?
Below the limit, yes: write it off at once on {account}. Note the room it stands in.
What about the tip in the bill from {city}?
Tips are costs when the bill shows them. {amount} goes with the meal, account {account}.
We got {amount} from {vendor} without an invoice number.
Two open items fit that sum. I'd ask before I clear either; until then it stays on {account}.
How do I split the electricity of {vendor} between shop and office?
By floor space as last year: {count}0 percent to the shop. Both on {account} with different cost centres.
{name} paid for stamps in cash, {amount}.
Petty cash against {account}. The receipt needs {name}'s signature.
When is the tax for March due?
On the 10th, or the next working day. {vendor} is the only reverse-charge case.
Does invoice {order} meet the formal rules?
The tax number of {vendor} is missing. Send it back before you pay {amount}.
"""
)
KUECHE: Final = _pairs(
    """
Darf {produkt} in die Spülmaschine?
Lieber nicht: Spülen Sie von Hand und trocknen Sie gleich ab, dann hält alles Jahrzehnte.
Wo bleibt meine Bestellung {order}?
Ihre Bestellung {order} ist unterwegs und kommt voraussichtlich in {count} Tagen an.
Ist {produkt} für Induktion geeignet?
Ja. Fangen Sie mit Stufe {digit} an und heizen Sie langsam auf, sonst verzieht sich der Boden.
{nachname} hat mir gesagt, ich könne umtauschen. Stimmt das?
Ja, innerhalb von 30 Tagen. Legen Sie bitte einen Zettel mit {order} bei.
Wie brenne ich eine Eisenpfanne ein?
Dünn mit Leinöl einreiben, {count} Minuten bei 200 Grad in den Ofen, auskühlen lassen und wiederholen.
Wird {produkt} auch größer angeboten?
Ja, zwei Größen mehr. Die größte wiegt allerdings {digit} Kilo – möchten Sie die Maße?
Die Rechnung zu {order} weist keine Mehrwertsteuer aus.
Das tut uns leid! Sie erhalten heute noch eine neue Rechnung.
Womit öle ich Holz?
Mit Lein- oder Walnussöl, dünn, alle {count} Wochen. Olivenöl wird ranzig.
"""
)
OPENINGS: Final = (
    "",
    "",
    "Hi! ",
    "Hello. ",
    "Good morning. ",
    "A quick one. ",
    "Me again. ",
    "Sorry to bother you. ",
)
EROEFFNUNGEN: Final = ("", "Guten Tag! ", "Hallo. ", "Grüß Gott. ", "Noch eine Frage. ", "Ich bin's wieder. ")
ENDINGS: Final = (
    "",
    "",
    "",
    " Anything else?",
    " Tell me if you need more.",
    " Shall I write that down for you?",
)
THANKS: Final = (
    ("Thanks, that helps.", "Glad to hear it. Have a good day!"),
    ("Perfect, thank you!", "You're welcome."),
    ("ok thx", "Any time."),
    ("Great. I'll pass it on to {name}.", "Please do. {name} can write to me here as well."),
    ("Hm, I'll think about it.", "Of course. I'm here when you have decided."),
)
DANKE: Final = (
    ("Vielen Dank!", "Sehr gern. Einen schönen Tag noch!"),
    ("Super, danke für die schnelle Hilfe.", "Gern geschehen. Grüßen Sie {nachname} von uns."),
)
_TOPICS: Final = {"desk": DESK, "trips": TRIPS, "ledger": LEDGER, "kueche": KUECHE}


def _filled(template: str, *key: object) -> str:
    slots = {slot: pick(values, slot, *key) for slot, values in SLOTS.items()}
    slots["order"] = f"QH-{100_000 + number(900_000, 'order', *key)}"
    slots["count"] = str(3 + number(17, "count", *key))
    slots["digit"] = str(2 + number(5, "digit", *key))
    slots["minute"] = str(10 + number(45, "minute", *key))
    slots["amount"] = f"{12 + number(880, 'whole', *key)}.{number(100, 'cents', *key):02d}"
    filled = template.format(**slots)
    return filled[0].upper() + filled[1:]


def ledger_answer(answer: str, account: str | None, *, needs_review: bool = False) -> str:
    """What the ledger assistant says: JSON after its schema."""
    return json.dumps(
        {"answer": answer, "account": account, "needs_review": needs_review}, ensure_ascii=False
    )


def exchange(assistant: str, key: str, turn: int, *, last: bool = False) -> tuple[str, str]:
    """Question and answer of that turn; a last turn says thank you."""
    if last:
        pair = pick(DANKE if assistant == "kueche" else THANKS, key, turn, "thanks")
        question, answer = (_filled(part, key, turn) for part in pair)
    else:
        topics = _TOPICS[assistant]
        # Neighbouring turns take neighbouring topics, so that no question comes twice in a row.
        pair = topics[(number(len(topics), key, "first") + turn) % len(topics)]
        question, answer = (_filled(part, key, turn) for part in pair)
        question = pick(EROEFFNUNGEN if assistant == "kueche" else OPENINGS, key, turn, "opening") + question
        if assistant in {"desk", "trips"}:
            answer += pick(ENDINGS, key, turn, "ending")
    if assistant == "ledger":
        account = pick(SLOTS["account"], "account", key, turn)
        answer = ledger_answer(
            answer, account if account in answer else None, needs_review=number(6, key, turn) == 0
        )
    return question, answer
