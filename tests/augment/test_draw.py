"""What is drawn for an item depends on the seed, the epoch and the item, and on nothing else."""

from avpipe.augment.draw import child_generator, item_generator, log_uniform, random_start
from tests.clips import generator_of


def test_the_same_item_draws_the_same_and_others_draw_others():
    first, again, other = (item_generator(0, *place).random(4).tolist() for place in ((2, 7), (2, 7), (3, 7)))
    assert first == again
    assert first != other


def test_random_start_covers_the_recording_and_no_more():
    starts = [random_start(5.0, 2.0, item_generator(0, 0, index)) for index in range(200)]
    assert 0.0 <= min(starts) < 0.2
    assert 2.8 < max(starts) <= 3.0
    assert random_start(1.0, 2.0, item_generator(0, 0, 0)) == 0.0


def test_a_child_draws_as_much_as_it_likes_and_its_parent_goes_on_as_before():
    one, other = generator_of(), generator_of()
    assert child_generator(one).random(3).tolist() == child_generator(other).random(1000)[:3].tolist()
    assert one.bit_generator.state == other.bit_generator.state


def test_log_uniform_is_as_often_in_one_octave_as_in_the_next():
    generator = generator_of()
    drawn = [log_uniform(100.0, 400.0, generator) for _ in range(2000)]
    assert 100.0 <= min(drawn) < 102.0
    assert 392.0 < max(drawn) <= 400.0
    assert 900 < sum(each < 200.0 for each in drawn) < 1100
