"""What the demo's small world talks about: everyday things one may want to do, and advice on each.

Plain facts only: how they become questions and answers is `world`, what makes an answer good is `utility`.
Every tip is a verb phrase in its base form, so that "Try to ...", "You can ..." and "They ..." can stand before it,
and it names its subject often enough that a reader sees at a glance which question it answers.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One subject: goals that fit after "How do I ...", and tips that fit after "Try to ..."."""

    name: str
    goals: tuple[str, ...]
    tips: tuple[str, ...]


# one line of goals, one line for each tip
_TEXT = """
basil: keep basil alive | grow basil indoors | look after basil
put the basil in a sunny window
water the basil when the soil feels dry
pinch off the basil flowers early
pick the top leaves of the basil first

bread: bake good bread | make bread at home | bake bread with a crisp crust
let the dough rise in a warm place
knead the dough for ten minutes
bake the bread in a very hot oven
let the loaf cool before slicing it

tea: make a good cup of tea | brew black tea | make better tea
warm the teapot before brewing
use fresh boiling water for the tea
let the tea leaves steep for three minutes
add the milk after the tea

coffee: make good coffee | brew coffee at home | make coffee without a machine
grind the coffee beans just before brewing
use two spoons of coffee for each cup
pour hot water slowly over the coffee
keep the coffee beans in a closed tin

rice: cook fluffy rice | cook rice on the stove | keep rice from sticking
rinse the rice until the water is clear
use two cups of water for one cup of rice
keep the lid on while the rice simmers
let the rice rest before serving it

eggs: boil eggs | cook eggs for breakfast | boil eggs that peel well
lower the eggs gently into hot water
boil the eggs for seven minutes
cool the eggs in a bowl of ice water
peel the eggs under running water

soup: make vegetable soup | cook a simple soup | make a soup taste better
fry the onions before adding the broth
let the soup simmer on low heat
add the herbs to the soup at the end
blend half of the soup to make it creamy

pancakes: make pancakes | cook thin pancakes | stop pancakes from burning
let the pancake batter rest for a while
heat the pan before pouring the batter
turn each pancake when bubbles appear
spread a little butter in the pan

salad: make a fresh salad | prepare a green salad | make a better salad
wash the lettuce in cold water
dry the salad leaves with a clean towel
whisk oil and vinegar for the dressing
add the dressing just before eating

tomatoes: grow tomatoes | plant tomatoes on a balcony | get more tomatoes
tie the tomato plants to a strong stick
water the tomatoes at the roots
feed the tomato plants every two weeks
remove the side shoots of the tomatoes

roses: look after roses | prune roses | help roses bloom
cut the roses back in early spring
remove the faded roses every week
plant the roses where they get morning sun
cover the rose roots with straw in winter

cactus: look after a cactus | keep a cactus healthy | repot a cactus
give the cactus plenty of bright light
water the cactus only once a month
use sandy soil for the cactus
wear thick gloves when moving the cactus

lawn: get a green lawn | look after the lawn | mow the lawn well
mow the lawn once a week in summer
water the grass early in the morning
sow new grass seed in autumn
rake the dead leaves off the lawn

compost: start a compost heap | make good compost | keep compost from smelling
mix dry leaves with kitchen scraps
turn the compost heap every two weeks
keep the compost damp but not wet
leave meat and cheese out of the compost

birds: feed garden birds | bring more birds to the garden | make a garden good for birds
hang seeds in a quiet part of the garden
clean the bird feeder every week
set out a shallow bowl of water for the birds
plant a hedge where birds can nest

bees: help bees in the garden | plant flowers for bees | make a garden good for bees
plant lavender for the bees
leave some wild flowers for the bees
set out water with stones for the bees
let the clover bloom until the bees finish

cat: make a cat feel at home | keep a cat happy | look after a cat
play with the cat twice a day
brush the cat gently every evening
give the cat a quiet place to sleep
clean the litter box every day

dog: train a puppy | teach a dog good manners | make a dog listen
reward the dog with a small treat
keep the training short and cheerful
walk the dog at the same time each day
praise the dog when it listens

fish: look after goldfish | look after a fish tank | keep goldfish healthy
change some of the tank water every week
feed the fish a small pinch twice a day
rinse the filter of the fish tank
keep the fish tank out of the sun

bicycle: look after a bicycle | keep a bicycle in good shape | get a bicycle ready for spring
wipe the bicycle chain with a dry cloth
put a drop of oil on the chain
pump up the bicycle tires every month
check the brakes before each ride

tire: fix a flat tire on a bike | patch an inner tube | repair a bike tire
take the wheel off the bike
hold the tube under water to find bubbles
rub the rubber with sandpaper before patching
press the patch on the tube for a minute

shoes: clean leather shoes | look after leather shoes | make leather shoes last
brush the dirt off the shoes
rub a little wax into the leather
stuff the wet shoes with newspaper
let the shoes dry away from the heater

windows: clean windows | wash windows without streaks | get shiny windows
wash the glass with warm soapy water
add some vinegar to the window water
wipe the glass dry with newspaper
clean the windows on a cloudy day

oven: clean the oven | get grease off the oven door | remove burnt food from the oven
spread baking soda paste in the oven
leave the paste in the oven overnight
scrub the oven racks in hot water
wipe the oven with a damp sponge

drain: clear a blocked drain | unclog the sink | stop the sink from smelling
pour boiling water down the drain
use a plunger on the sink
pull the hair out of the drain with a wire
put a small sieve over the drain

stains: get a stain out of a shirt | remove a wine stain | clean a coffee stain
rinse the stain with cold water at once
put salt on the fresh stain
rub the stain with mild soap
soak the stained shirt overnight

laundry: wash wool sweaters | keep wool from shrinking | wash a wool scarf
wash the wool in cool water
press the water out of the wool with a towel
dry the sweater flat on a rack
use a mild soap for the wool

ironing: iron a shirt | iron faster | get creases out of a shirt
iron the shirt while it is a little damp
start ironing with the collar
fill the iron with clean water
hang the ironed shirt up at once

wardrobe: tidy a wardrobe | sort old clothes | make room in a small wardrobe
take everything out of the wardrobe first
give away clothes that no longer fit
fold the sweaters and hang the shirts
keep the winter clothes in a box

desk: keep a desk tidy | set up a desk for work | make a desk more comfortable
clear the desk at the end of each day
put the screen at eye level
keep the pens in one cup on the desk
place the lamp on the left of the desk

sleep: sleep better | fall asleep faster | get more sleep
go to bed at the same hour every night
keep the bedroom dark and cool
switch off all screens an hour before bed
drink warm milk before going to sleep

running: start running | run longer | get ready for a race
begin with short and easy runs
rest a day between two runs
wear running shoes that fit well
run slowly enough to talk

swimming: learn to swim | swim faster | feel safe in the water
practise floating on the back first
breathe out under the water
kick with straight legs in the water
swim with a teacher at the pool

back: ease a stiff back | stretch a sore back | protect the back at work
stretch the back slowly every morning
lift heavy boxes with the knees
sit with both feet on the floor
take a short walk every hour

guitar: learn the guitar | practise the guitar | get better at the guitar
practise two guitar chords each day
tune the guitar before playing
play slowly along with easy songs
keep the fingers close to the strings

piano: learn the piano | practise the piano | play the piano with both hands
practise each hand on the piano alone
play the hard bars very slowly
sit up straight at the piano
count the beat aloud while playing

drawing: learn to draw | draw faces | get better at drawing
draw from life for ten minutes a day
sketch the large shapes lightly first
look more at the face than at the paper
use a soft pencil for the shadows

photos: take better photos | photograph people | take good family photos
keep the sun behind the camera
hold the camera steady against a wall
move closer to the faces in the photo
take many pictures and keep the best

language: learn Spanish | remember Spanish words | practise speaking Spanish
learn ten Spanish words every day
listen to Spanish songs and radio
talk with Spanish speakers each week
write a short diary in Spanish

exam: study for an exam | get ready for a test | study a thick book
make a study plan for each week
test the memory with small cards
explain the lesson to a friend
solve old exam papers against the clock

letter: write a letter to a friend | write a thank you letter | write a letter by hand
begin the letter with a warm greeting
tell one small story in the letter
read the letter aloud before sending it
write the letter with a good pen

speech: give a speech | prepare a wedding speech | feel calm before a speech
practise the speech in front of a mirror
write the main points of the speech on a card
speak slowly and look at the guests
end the speech with a short toast

budget: save money | plan a budget | spend less each month
write down every expense for a month
set aside some money on pay day
compare prices before buying
cook at home to save money

camping: go camping | get ready for camping | spend a night in a tent
pitch the tent on flat dry ground
pack a warm sleeping bag
practise putting up the tent at home
bring a lamp and spare batteries

hiking: get ready for a long hike | plan a mountain hike | pack for a day hike
carry enough water for the whole hike
wear boots that are already soft
check the weather before the hike
tell someone which trail it will be

train: plan a train trip | find cheap train tickets | travel by train with children
book the train tickets early
reserve seats near the door of the train
bring games and snacks for the train
arrive at the station ten minutes early

moving: move to a new flat | pack for a move | get ready for moving day
label every box with the name of its room
pack the heavy books in small boxes
wrap the plates in old newspaper
ask some friends to carry the boxes

wall: paint a wall | paint a bedroom | repaint an old wall
cover the floor before painting
cover the window frames with tape
paint the edges of the wall first
put on two thin coats of paint

candles: make candles | make candles at home | make candles as a present
melt the wax in a pot of hot water
hold the wick straight while pouring the wax
add a few drops of perfume to the wax
let the candles harden overnight

phone: make a phone battery last | save phone battery | keep a phone running all day
turn down the brightness of the phone
close the phone apps that run all day
switch the phone to flight mode at night
keep the phone out of the hot sun

party: plan a birthday party | host a party at home | plan games for a party
invite the guests two weeks before the party
choose cheerful music for the party
set the food on one big table
prepare three easy party games

gift: choose a gift | find a gift for a friend | give a nice birthday gift
listen for wishes all year round
wrap the gift in bright paper
add a note in handwriting to the gift
ask the family about good gift ideas

snowman: build a snowman | build a tall snowman | make a snowman with children
roll three big balls of snow
use a carrot for the nose of the snowman
press the snow together with both hands
give the snowman an old hat

knitting: learn to knit | knit a scarf | knit faster
start with thick wool and big needles
knit a small square first
count the stitches after every row
hold the yarn loosely while knitting
"""


def _read(text: str) -> tuple[Topic, ...]:
    topics = []
    for block in text.strip().split("\n\n"):
        head, *tips = block.splitlines()
        name, _, goals = head.partition(": ")
        topics.append(Topic(name, tuple(goal.strip() for goal in goals.split("|")), tuple(tips)))
    return tuple(topics)


TOPICS = _read(_TEXT)
