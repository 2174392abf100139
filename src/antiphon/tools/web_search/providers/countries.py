"""Countries in the forms that search services use."""

_TABLE = """
AE ar united arab emirates; AR es argentina; AT de austria; AU en australia; BD bn bangladesh; BE nl belgium;
BG bg bulgaria; BR pt brazil; CA en canada; CH de switzerland; CL es chile; CN zh china; CO es colombia;
CZ cs czech republic; DE de germany; DK da denmark; EC es ecuador; EE et estonia; EG ar egypt; ES es spain;
FI fi finland; FR fr france; GB en united kingdom; GR el greece; HR hr croatia; HU hu hungary;
ID id indonesia; IE en ireland; IL he israel; IN en india; IS is iceland; IT it italy; JP ja japan;
KE en kenya; KR ko south korea; KZ kk kazakhstan; LT lt lithuania; LU fr luxembourg; LV lv latvia;
MA ar morocco; MX es mexico; MY ms malaysia; NG en nigeria; NL nl netherlands; NO no norway;
NZ en new zealand; PE es peru; PH en philippines; PK ur pakistan; PL pl poland; PT pt portugal;
RO ro romania; RS sr serbia; RU ru russia; SA ar saudi arabia; SE sv sweden; SG en singapore; SI sl slovenia;
SK sk slovakia; TH th thailand; TR tr turkey; TW zh taiwan; UA uk ukraine; US en united states;
UY es uruguay; VE es venezuela; VN vi vietnam; ZA en south africa
"""

_ROWS = [row.split(maxsplit=2) for row in _TABLE.replace("\n", " ").split(";")]

LANGUAGES = {code: language for code, language, _ in _ROWS}
"""The main language (ISO 639-1) of a country's pages, by country code."""
NAMES = {code: name for code, _, name in _ROWS}
"""Lower-case English names of countries, as Tavily expects them, by country code."""
