"""Every way in which a bucket may be another than we believe it to be."""

from __future__ import annotations

from collections.abc import Collection

from ubiops_file_sync.emulator import Behaviour

BEHAVIOURS = {
    "unsorted": Behaviour(unsorted=True),
    "short-pages": Behaviour(short_pages=True),
    "repeated-items": Behaviour(repeat_item_between_pages=True),
    "small-limit": Behaviour(max_limit=100),
    "milliseconds": Behaviour(time_precision="ms"),
    "whole-seconds": Behaviour(time_precision="s"),
    "offset": Behaviour(time_suffix="+00:00"),
    "time-kept": Behaviour(keep_time_on_overwrite=True),
    "slow": Behaviour(slow_visibility_s=3600),
    "no-crc64": Behaviour(tells_crc64=False),
    "all": Behaviour(
        unsorted=True,
        short_pages=True,
        repeat_item_between_pages=True,
        max_limit=100,
        time_precision="s",
        time_suffix="+00:00",
        slow_visibility_s=3600,
        tells_crc64=False,
    ),
}
"""By the names that `--behaviour` takes. `all` goes without `time-kept`, which cannot be together
with whole seconds: then nothing would tell two versions of one size apart."""

_PAGES = ("unsorted", "short-pages", "repeated-items", "small-limit", "all")
_ONE_TIME = ("time-kept", "whole-seconds", "milliseconds", "all")

_UNFIT: dict[str, tuple[Collection[str], Collection[str]]] = {
    "it pins the calls that a listing costs, or breaks a page by its number": (
        _PAGES,
        (
            "test_a_listing_of_several_pages",
            "test_a_listing_that_fails_on_any_page_changes_nothing_at_all",
            "test_a_listing_that_stumbles_once_goes_on",
            "test_a_plan_foretells_the_api_calls_of_a_pass",
            "test_a_single_upload_to_a_big_bucket_is_confirmed_by_one_get",
            "test_all_in_step_costs_the_listing_and_changes_nothing",
            "test_calls_are_counted_by_endpoint_as_promised",
            "test_equal_content_is_adopted_without_a_transfer",
            "test_silent_damage_is_found_by_content_alone",
            "test_the_ttl_is_asked_once_and_only_if_something_depends_on_it",
            "test_what_cannot_be_confirmed_is_recognised_by_the_next_pass",
        ),
    ),
    "it pins that a halt leaves even the state untouched, which notes the order of the listing": (
        ("unsorted", "repeated-items", "all"),
        (
            "test_a_marker_made_anew_does_not_make_an_empty_root_a_full_one",
            "test_a_marker_that_is_missing",
            "test_a_root_that_is_suddenly_empty",
            "test_everything_changed_at_once",
            "test_more_deletions_in_the_bucket_than_max_delete",
            "test_more_deletions_than_max_delete",
            "test_too_little_free_disk",
        ),
    ),
    "two versions of one size come within one tick of the bucket's clock; nothing tells of it": (
        _ONE_TIME,
        (
            "test_a_conflict_s_loser_from_the_bucket_can_be_had_back",
            "test_a_file_and_its_folder_deleted_here_come_back_before_the_next_pass",
            "test_a_folder_swapped_for_a_link_in_mid_pass_leads_nothing_outside",
            "test_a_link_in_the_place_is_neither_followed_nor_replaced",
            "test_an_edit_in_the_bucket_travels_and_the_old_version_is_in_the_trash",
            "test_an_object_that_changed_since_the_plan_is_not_deleted",
            "test_permissions_come_back_too",
        ),
    ),
    "an upload renews no time, or the pass that learns of it refreshes once more": (
        ("time-kept", "slow", "all"),
        ("test_an_object_is_refreshed_before_it_expires",),
    ),
    "it pins what is recorded before the bucket shows what was stored": (
        ("slow", "time-kept", "all"),
        (
            "test_a_pass_that_went_well",
            "test_calls_are_counted_by_endpoint_as_promised",
            "test_the_losers_of_conflicts_are_told_until_somebody_removes_them",
            "test_uploads_of_a_killed_pass_stay_known",
            "test_what_cannot_be_confirmed_is_recognised_by_the_next_pass",
        ),
    ),
    "it stores an object anew within one second, and then it is asked for until it shows": (
        ("whole-seconds", "all"),
        (
            "test_a_deletion_does_not_travel_by_default",
            "test_deletions_travel_only_where_they_may",
        ),
    ),
    "it gives a local file the very microsecond of its object, of which the bucket tells less": (
        ("milliseconds", "whole-seconds", "all"),
        ("test_what_a_killed_pass_fetched_and_did_not_record_is_no_change_here",),
    ),
    "it asks for an object as soon as it was stored, and counts on seeing it": (
        ("slow", "all"),
        ("test_the_answer_to_the_last_call_may_be_lost",),
    ),
    "it sets a behaviour of its own": (
        tuple(BEHAVIOURS),
        (
            "test_the_version_before_an_edit_is_not_taken_for_the_edit",
            "test_what_was_allowed_and_sent_does_not_halt_the_next_pass",
            "test_what_was_sent_and_is_not_shown_yet_is_waited_for",
            "test_an_unsorted_listing_costs_a_second_one_and_nothing_else",
            "test_no_belief_about_the_service_is_load_bearing",
        ),
    ),
}
"""Tests that pin the very thing that a behaviour changes, by what they pin."""


def why_unfit(test: str, behaviour: str) -> str | None:
    """Why a test makes no sense under a behaviour; None: it makes sense."""
    for reason, (behaviours, tests) in _UNFIT.items():
        if behaviour in behaviours and test in tests:
            return reason
    return None
