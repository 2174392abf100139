"""Stop words: frequent words of a question that say nothing about its subject."""

from collections.abc import Sequence

_LISTS = {
    "en": """
        a about after all also am an and any are as at be been before but by can could did do does for from
        had has have he her him his how i if in into is it its me my no not of on or our she should so some
        such than that the their them then there these they this to was we were what when where which who
        whom why will with would you your
        """,
    "de": """
        ab aber als am an auch auf aus bei beim bin bis bist da damit dann das dass dem den denn der des dich
        die dies diese diesem diesen dieser dieses dir doch du durch ein eine einem einen einer eines er es
        etwas für gegen gibt hab habe haben hat hatte ich ihm ihn ihnen ihr ihre im in ist ja kann kannst kein
        keine können könnte man mein meine meinem meinen meiner mich mir mit muss müssen nach nicht noch nun
        nur ob oder ohne sein seine sich sie sind so soll sollen sollte über um und uns unser unsere vom von
        vor wann war waren warum was welche welchem welchen welcher welches wem wen wenn wer werden wessen wie
        wieder will wir wird wo wofür woher wohin wohl womit wurde wurden während zu zum zur zwischen
        """,
    "fr": """
        a ai as au aussi aux avec avez avoir avons c ce cela ces cet cette ceux chez comme comment d dans de
        des dois doit donc dont du elle elles en es est et être eu fait faire faut il ils j je l la le les
        leur leurs lui m ma mais me mes moi mon n ne ni nos notre nous on ont ou où par pas peut peux plus
        pour pourquoi puis qu quand que quel quelle quelles quels qui quoi s sa sans se ses si sommes son sont
        suis sur t ta te tes toi ton tu un une va vers vos votre vous y à ça été
        """,
    "es": """
        a al algo ante antes como con cual cuales cuando cuánto cuántos cuándo cuál cuáles cómo de del desde
        donde dónde durante e el ella ellas ellos en entre era es esa ese eso esta este esto está están fue
        ha hace hacer hasta hay he la las le les lo los me mi mis muy más nada ni no nos nosotros o otra otro
        para pero poco por porque pues puede puedo que quien quién quiénes qué se sea ser si sin sobre son su
        sus sí también tan te tengo tiene tienen todo tu tus un una uno y ya yo
        """,
    "it": """
        a ad agli ai al alla alle allo anche che chi ci ciò come con cosa cui da dagli dai dal dalla dalle
        de degli dei del della delle dello di dopo dove e ed era essere fa gli ha hai hanno ho i il in io la
        le lei li lo loro lui ma me mi mia mie miei mio ne nei nel nella nelle noi non nostra nostro o ogni
        per perché più posso prima può qual quale quali quando quanto quanti quella quello questa questo qui
        se si sia sono su sua sul sulla suo tra tu tua tuo un una uno vi voi è
        """,
    "pt": """
        a ao aos as até com como da das de dela dele deles depois do dos e ela elas ele eles em entre era
        essa esse esta este está estão eu foi fosse há isso isto já lhe lhes mais mas me mesmo meu meus minha
        minhas muito na nas nem no nos nossa nosso não nós o onde os ou para pela pelas pelo pelos por porque
        posso pode qual quais quando quanto quantos que quem se sem ser seu seus sobre sua suas são só também
        te tem tenho ter teu tua um uma você vocês à às é
        """,
    "nl": """
        aan al als andere ben bij dan dat de deze die dit doen door dus een en er ge geen had heb hebben heeft
        hem het hier hij hoe hoeveel hun iets ik in is ja je kan kun kunnen kunt maar me meer men met mij mijn
        moet moeten na naar niet niets nog nu of om omdat ons ook op over te tegen toch toen tot u uit uw van
        veel voor waar waarom wanneer want waren was wat we welk welke werd wie wij wil worden wordt zal ze
        zich zij zijn zo zonder zou
        """,
}
_LANGUAGES = {name: frozenset(listed.split()) for name, listed in _LISTS.items()}
_CLEAR = 2
"""The stop words by which a language other than English is recognized.

Some languages share one word of another meaning with English, such as the German "war" and "die".
"""


def without_stop_words(sought: Sequence[str]) -> list[str]:
    """Return the words without the stop words of their language; all of them if nothing else remains.

    The language is the one with the most stop words among them.
    """
    counts = {name: sum(word in known for word in sought) for name, known in _LANGUAGES.items()}
    language = max(counts, key=lambda name: (counts[name], name == "en"))
    if counts[language] < _CLEAR:
        language = "en"
    return [word for word in sought if word not in _LANGUAGES[language]] or list(sought)
