"""Bugs that others shipped, or that an invariant forbids, ready to be planted in the engine."""

from __future__ import annotations

from dataclasses import dataclass

TABLE = "tests/plan/test_table.py"
MERGE = "tests/plan/test_merge.py"
BLOCKS = "tests/plan/test_blocks.py"
FILTERS = "tests/plan/test_filters.py"
GUARDS = "tests/plan/test_guards.py"
CRASH = "tests/plan/test_after_crash.py"
SCAN = "tests/local/test_scan.py"
TRASH = "tests/local/test_trash.py"
TREE = "tests/local/test_tree.py"
RETRIES = "tests/bucket/test_retries.py"
QUOTA = "tests/bucket/test_quota.py"
WINDOW = "tests/bucket/test_window.py"
CONTRACT = "tests/bucket/test_contract.py"
CHANGES = "tests/engine/test_changes.py"
CONFLICTS = "tests/engine/test_conflicts.py"
DELETIONS = "tests/engine/test_deletions.py"
FAULTS = "tests/engine/test_faults.py"
PASS = "tests/engine/test_pass.py"
HALTS = "tests/engine/test_guards.py"
FIRST = "tests/engine/test_first_pass.py"
HISTORY = "tests/engine/test_history.py"
ROWS = "tests/store/test_history.py"
HTTP = "tests/bucket/test_http.py"
PARTS = "tests/bucket/test_parts.py"
BAD_ANSWERS = "tests/bucket/test_bad_answers.py"
PROOFS = "tests/bucket/test_proofs.py"
STOP = "tests/engine/test_stop.py"
LANES = "tests/engine/test_lanes.py"
LOCK = "tests/store/test_lock.py"
REDACTION = "tests/logs/test_redaction.py::test_no_handler_of_anybody_lets_a_secret_out"
LINES = "tests/logs/test_lines.py"
LOG_FILE = "tests/logs/test_file.py"
STDERR = "tests/logs/test_stderr.py"
HOOKS = "tests/hooks/test_hooks.py"
METRICS = "tests/metrics/test_metrics.py"
TOKENS = "tests/config/test_tokens.py"
UNITS = "tests/service/test_units.py"
INSTALL = "tests/service/test_install.py"
ONLY = "tests/library/test_only.py"
CLASSIC = "tests/library/test_classic.py"
WATCHER = "tests/library/test_watcher.py"

STILL_OLD = f"{FAULTS}::test_a_download_that_always_fails_leaves_the_old_version_and_stops_no_other"
GONE_HERE = (
    f"{DELETIONS}::test_a_deletion_in_the_bucket_travels_here_and_its_last_version_to_the_trash"
)


@dataclass(frozen=True)
class Mutant:
    """One bug, and the tests that must notice it."""

    name: str
    lesson: str
    """Which invariant or whose lesson it goes against."""
    file: str
    """Below the package."""
    old: str
    """Source text that stands there exactly once."""
    new: str
    """What the bug puts in its place."""
    caught_by: tuple[str, ...]
    """Node ids, quick ones that run in one process; at least one of them must fail."""


DECIDING = [
    Mutant(
        "uploads of a killed pass are forgotten before the next one has done anything",
        "I5: killed twice in a row, what it sent is somebody else's.",
        "perform.py",
        "        began_us = self.executor.now_ns() // 1000\n",
        "        began_us = self.executor.now_ns() // 1000\n"
        "        self.store.drop_intents(began_us, 0)\n",
        (f"{FAULTS}::test_an_upload_without_an_answer_outlives_a_pass_that_breaks_off",),
    ),
    Mutant(
        "a loser that a killed pass kept in the bucket is kept once more",
        "I5: killed at any instant and run again, it ends where an uninterrupted run ends.",
        "execute/action.py",
        "        if there.size != size:\n            return False\n",
        "        return False\n",
        (f"{CONFLICTS}::test_a_loser_that_a_killed_pass_kept_is_not_kept_twice",),
    ),
    Mutant(
        "what a killed pass fetched counts as changed here",
        "I5: no manual resync exists.",
        "plan/merge.py",
        "    if there is not None and is_copy_of(here, there):\n        return\n",
        "",
        (f"{HALTS}::test_what_a_killed_pass_fetched_and_did_not_record_is_no_change_here",),
    ),
    Mutant(
        "clocks of both sides are compared",
        "Remote time is upload time: untouched files look newer (B2_Command_Line_Tool #144).",
        "plan/case.py",
        "remote.size == base.size and remote.created_us == base.created_us",
        "remote.size == base.size and remote.created_us * 1000 <= base.mtime_ns",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "local times are cut to seconds",
        "Raw integers: an edit within the second of the last one is an edit (rclonesync-V2 #32).",
        "plan/case.py",
        "local.mtime_ns == base.mtime_ns",
        "local.mtime_ns // 10**9 == base.mtime_ns // 10**9",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "stored times are cut to seconds",
        "Raw integers: two objects stored within a second are two (rclone #8025).",
        "plan/case.py",
        "remote.created_us == base.created_us",
        "remote.created_us // 10**6 == base.created_us // 10**6",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "only sizes of local files are compared",
        "Edits of the same size are skipped by a comparison of sizes (aws-cli #1074, #3273).",
        "plan/case.py",
        "local.size == base.size and local.mtime_ns == base.mtime_ns",
        "local.size == base.size",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "only sizes of objects are compared",
        "Edits of the same size are skipped by a comparison of sizes (aws-cli #1074, #3273).",
        "plan/case.py",
        "remote.size == base.size and remote.created_us == base.created_us",
        "remote.size == base.size",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "two versions of one size are taken for equal",
        "I1: at a first meeting, one size proves nothing; the content is compared.",
        "plan/case.py",
        "return is_copy_of(local, remote) or local.size == remote.size == 0",
        "return True",
        (f"{TABLE}::test_two_versions_that_never_met",),
    ),
    Mutant(
        "an edit in the bucket is overwritten",
        "I1: unchanged here and changed there is a download, never an upload.",
        "plan/decide.py",
        "(State.UNCHANGED, State.CHANGED): _remote_alone_changed,",
        "(State.UNCHANGED, State.CHANGED): _local_alone_changed,",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "a deletion here beats an edit in the bucket",
        "I1: an edit beats a delete (decision table).",
        "plan/decide.py",
        "(State.MISSING, State.CHANGED): _pull(Reason.EDIT_BEATS_DELETE_REMOTE),",
        "(State.MISSING, State.CHANGED): _local_vanished,",
        (f"{DELETIONS}::test_an_edit_beats_a_delete",),
    ),
    Mutant(
        "a deletion in the bucket beats an edit here",
        "I1: an edit beats a delete (decision table).",
        "plan/decide.py",
        "(State.CHANGED, State.MISSING): _push(Reason.EDIT_BEATS_DELETE_LOCAL),",
        "(State.CHANGED, State.MISSING): _remote_vanished,",
        (f"{DELETIONS}::test_an_edit_beats_a_delete",),
    ),
    Mutant(
        "deletions travel without being asked for",
        "I2: `deletions` is none unless a person says otherwise.",
        "plan/case.py",
        "return self.policy.deletions in {Deletions.TO_BUCKET, Deletions.BOTH}",
        "return True",
        (f"{TABLE}::test_without_a_conflict",),
    ),
    Mutant(
        "what was never in step is deleted",
        "I2: nothing is deleted without a baseline for it.",
        "plan/decide.py",
        "(State.ABSENT, State.NEW): _pull(Reason.NEW_REMOTE),",
        "(State.ABSENT, State.NEW): _local_vanished,",
        (f"{DELETIONS}::test_nothing_is_deleted_without_a_baseline",),
    ),
    Mutant(
        "a tie goes to the local side",
        "The decision table: a tie goes to the bucket, on every machine alike.",
        "plan/case.py",
        "self in {Newer.LOCAL_LATER, Newer.REMOTE_ODD}",
        "self in {Newer.LOCAL_LATER, Newer.REMOTE_ODD, Newer.TIE}",
        (f"{TABLE}::test_two_versions_that_never_met",),
    ),
    Mutant(
        "an impossible time is believed",
        "A time at the epoch, or more than a day ahead, tells nothing.",
        "plan/case.py",
        "return 0 < time_us <= now_us + DAY_US",
        "return True",
        (f"{TABLE}::test_two_versions_that_never_met",),
    ),
    Mutant(
        "the clocks are not put right",
        "Newer compares two times on one clock: the measured skew counts.",
        "plan/case.py",
        "remote.created_us + self.policy.skew_us\n",
        "remote.created_us\n",
        (f"{TABLE}::test_newer_is_told_after_the_clocks_are_put_right",),
    ),
    Mutant(
        "an upload-only profile writes here",
        "A one-way profile never writes to its source.",
        "plan/case.py",
        "return self.policy.direction is not Direction.UPLOAD",
        "return True",
        (f"{TABLE}::test_one_way_without_a_conflict",),
    ),
    Mutant(
        "expiry is taken for a deletion",
        "I3: expiry never deletes a local file.",
        "plan/case.py",
        "return left_us <= min(DAY_US, ttl_us // 7)",
        "return False",
        (f"{DELETIONS}::test_an_expired_object_never_deletes_its_local_file[both]",),
    ),
    Mutant(
        "`expired: leave` is ignored",
        "I4: what expired and is to be left is not sent again pass after pass.",
        "plan/decide.py",
        "leaves = case.leaves_expired()",
        "leaves = False",
        (f"{DELETIONS}::test_an_expired_object_is_left_if_the_profile_says_so",),
    ),
    Mutant(
        "any object of the right time is our own upload",
        "I1: an object of another size is somebody else's.",
        "plan/intents.py",
        "intent.finished_us is None or remote.size != intent.size",
        "intent.finished_us is None",
        (f"{CRASH}::test_an_object_of_another_size_is_not_ours",),
    ),
    Mutant(
        "any object of the right size is our own upload",
        "I1: an object that was stored at another time is somebody else's.",
        "plan/intents.py",
        "if not earliest <= remote.created_us <= latest:",
        "if False:",
        (f"{CRASH}::test_an_object_is_ours_if_it_was_stored_while_we_sent_it",),
    ),
]

MERGING = [
    Mutant(
        "what cannot be read is taken for missing",
        "I12: a failed stat looks like deletions (rclone #6582).",
        "plan/merge.py",
        "                yield from _unknown(here, there, row)\n                continue\n",
        "                here = None\n",
        (f"{MERGE}::test_a_deletion_is_never_read_out_of_an_unreadable_folder",),
    ),
    Mutant(
        "what lies below an unreadable folder is taken for missing",
        "I12: unreadable means unknown, for all that is below it too (rclone #7972).",
        "local/scan.py",
        "                    yield [below]\n",
        "                    continue\n",
        (f"{SCAN}::test_a_folder_that_may_not_be_read_is_unknown_and_the_rest_is_told",),
    ),
    Mutant(
        "a file and a folder of one name are both written",
        "`foo` beside `foo/bar` cannot both be files (aws-cli #1538).",
        "plan/merge.py",
        "clash = _file_above(key, open_files)",
        "clash = None",
        (f"{MERGE}::test_nothing_at_or_below_a_clash_is_touched",),
    ),
    Mutant(
        "a change in the bucket hides in a stretch that is in step",
        "What is passed over in bulk is as much in step as what is looked at alone.",
        "plan/blocks.py",
        "                    or created_us != base_created_us\n",
        "",
        (f"{BLOCKS}::test_a_change_within_a_stretch_in_step_is_seen",),
    ),
    Mutant(
        "a file in step is in nobody's way",
        "`foo` beside `foo/bar`, with a thousand names between the two.",
        "plan/blocks.py",
        "                    opened.append(last)\n",
        "                    pass\n",
        (f"{BLOCKS}::test_a_file_in_step_is_in_the_way_of_objects_below_it_however_far_behind",),
    ),
    Mutant(
        "a stretch in step is not asked for by filters",
        "A new filter hides what is in step too: forget, never delete.",
        "plan/blocks.py",
        "or (hides is not None and hides(key, mine, theirs))",
        "or False",
        (f"{BLOCKS}::test_blocks_count_and_filter_what_single_rows_do",),
    ),
    Mutant(
        "a listing out of order is trusted",
        "No order of listings is documented; a key that comes late would look deleted.",
        "plan/blocks.py",
        "if (last and names[0] <= last) or not all(map(lt, names, names[1:])):",
        "if last and names[0] == last:",
        (f"{MERGE}::test_a_listing_out_of_order_is_not_trusted",),
    ),
    Mutant(
        "folders are walked in the order of their bare names",
        "Folders sort as `name/`, or the walks do not meet and files look deleted.",
        "local/scan.py",
        "children.sort(key=_KEY)",
        "children.sort(key=lambda child: child[0].rstrip('/'))",
        (f"{SCAN}::test_a_folder_sorts_by_its_name_and_a_slash",),
    ),
    Mutant(
        "a new filter reads as deletions",
        "Filter changes that read as deletes (rclone #5677, #5986): forget, never delete.",
        "plan/merge.py",
        "            yield from _forgotten(key, here, there, row)\n            continue\n",
        "            here = None\n",
        (f"{FILTERS}::test_what_is_hidden_is_at_most_forgotten",),
    ),
    Mutant(
        "a filter is applied to the local side only",
        "Nothing that a filter hides is transferred, whichever side it hides.",
        "plan/filters.py",
        "return remote is not None and beyond(",
        "return False and beyond(",
        (f"{FILTERS}::test_one_side_beyond_the_limits_is_enough",),
    ),
    Mutant(
        "a key may have `..` in it",
        "I7: `../` in object keys (s5cmd #872, b2-sdk-python #125).",
        "keys.py",
        "if _ODD_PART.search(key):",
        "if False:",
        (f"{MERGE}::test_a_dangerous_key_is_a_problem_of_its_own_and_stops_no_other",),
    ),
]

HALTING = [
    Mutant(
        "an empty root is believed",
        "An unmounted disk wipes the remote (nextcloud/desktop #2350, syncthing #762).",
        "plan/guards.py",
        "if others > 0 or not totals.in_step or not totals.remote_files:",
        "if True:",
        (GUARDS,),
    ),
    Mutant(
        "`max_delete` is ignored",
        "I2: too many deletions at once stop the profile (rclone bisync).",
        "plan/guards.py",
        "if count > limit:",
        "if False:",
        (GUARDS,),
    ),
    Mutant(
        "whoever allows one guard allows them all",
        "A guard is allowed by its own name.",
        "plan/guards.py",
        "if name in allowed:",
        "if allowed:",
        (GUARDS,),
    ),
    Mutant(
        "the marker is not looked for after the scan",
        "A disk may go in mid-scan: look before and after (syncthing #762).",
        "compare.py",
        "            until_complete.pop_all()\n        self._see_marker()\n",
        "            until_complete.pop_all()\n",
        (f"{HALTS}::test_a_marker_that_vanishes_while_the_folder_is_read",),
    ),
    Mutant(
        "a bucket that was made anew is taken for the old one",
        "I2: a new, empty bucket of the same name is no deletion of everything.",
        "compare.py",
        "return known not in {None, self._bucket_facts().id}",
        "return False",
        (f"{HALTS}::test_a_bucket_that_was_made_anew",),
    ),
    Mutant(
        "a record of another root is used",
        "I2: a baseline speaks of its own places only.",
        "store/baseline.py",
        "        elif moved:\n",
        "        elif False:\n",
        (f"{PASS}::test_state_of_another_root_halts",),
    ),
    Mutant(
        "two passes may run at once",
        "One at a time: two passes over one record undo each other.",
        "store/lock.py",
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "os.fstat(fd)",
        ("tests/store/test_lock.py::test_a_second_pass_is_told_who_holds_the_profile",),
    ),
]

LISTENING = [
    Mutant(
        "the prefix loses its slash",
        "Prefix `data` also lists `database/`: a neighbour would be synchronised.",
        "config/models.py",
        'return f"{self.bucket_dir}/" if self.bucket_dir else ""',
        "return self.bucket_dir",
        (f"{FIRST}::test_only_the_profiles_place_is_touched",),
    ),
    Mutant(
        "only the first page is read",
        "I12: a lost page looks like deletions (rclone #7972).",
        "bucket/ubiops.py",
        "if token is None:\n                return",
        "if True:\n                return",
        (f"{PASS}::test_a_single_upload_to_a_big_bucket_is_confirmed_by_one_get",),
    ),
    Mutant(
        "a listing that fails is taken for one that ends",
        "I12: a failed listing never looks like deletions (rclone #6582).",
        "bucket/ubiops.py",
        "            entries, token = self._page(token)\n",
        "            try:\n                entries, token = self._page(token)\n"
        "            except Exception:\n                return\n",
        (f"{RETRIES}::test_five_tries_and_then_the_cause[status]",),
    ),
    Mutant(
        "a request may address something else",
        "I7: HTTP clients collapse `..`, and DELETE of it would delete the bucket.",
        "bucket/ubiops.py",
        "            raise KeyFailure(refusal)\n",
        "            pass\n",
        (
            f"{CONTRACT}::test_a_key_that_would_address_something_else_is_refused_before_any_request",
        ),
    ),
    Mutant(
        "a truncated body is accepted",
        "I6: a body without a length can end early without an error.",
        "bucket/download.py",
        "if self._count != self._size:",
        "if self._count > self._size:",
        (f"{RETRIES}::test_a_body_that_ends_early_is_no_download",),
    ),
    Mutant(
        "the provider's digest is ignored",
        "I6: what does not match the provider's digest is damaged.",
        "bucket/download.py",
        "if known and found != known.value:",
        "if False:",
        (f"{STILL_OLD}[wrong_body]",),
    ),
    Mutant(
        "a wrong token is tried again and again",
        "A 4xx fails at once; only 408 and 429 pass by themselves.",
        "bucket/retry.py",
        "error.status in {408, RATE_LIMITED}",
        "error.status in {401, 408, RATE_LIMITED}",
        (f"{RETRIES}::test_a_refusal_is_not_asked_twice[401-1]",),
    ),
    Mutant(
        "a 5xx is final",
        "A transient error must not end a first pass (rclone #9352).",
        "bucket/retry.py",
        "or error.status >= 500",
        "or error.status >= 600",
        (f"{RETRIES}::test_five_tries_and_then_the_cause[status]",),
    ),
    Mutant(
        "an error quotes the signed URL",
        "I9: no signed URL query is in any error.",
        "bucket/upload.py",
        "    told = _accepted(answer)",
        "    if answer.status > 299:\n        raise KeyFailure(url)\n    told = _accepted(answer)",
        (f"{RETRIES}::test_no_token_and_no_signed_url_is_in_any_error_or_log",),
    ),
    Mutant(
        "a 429 holds nobody back",
        "429 without backing off together (rclone #4935).",
        "bucket/quota.py",
        "                self._window.refused(reset_told_by(headers), now)\n",
        "                pass\n",
        (
            f"{QUOTA}::test_a_429_holds_everybody_back_until_the_reset",
            f"{FAULTS}::test_a_429_pauses_everybody_until_the_window_ends",
        ),
    ),
    Mutant(
        "calls in flight are not counted",
        "The answers of sixteen threads tell of what was left before the others called.",
        "bucket/window.py",
        "        spare = self._remaining - self._in_flight - (self.limit - budget)\n",
        "        spare = self._remaining - (self.limit - budget)\n",
        (f"{WINDOW}::test_an_answer_out_of_order_raises_nothing",),
    ),
    Mutant(
        "an answer out of order raises what is left",
        "The last answer to come is not the last that was made.",
        "bucket/window.py",
        "            self._remaining = min(self._remaining, told.remaining)\n",
        "            self._remaining = told.remaining\n",
        (f"{WINDOW}::test_an_answer_out_of_order_raises_nothing",),
    ),
]

ACTING = [
    Mutant(
        "a file that changed since the plan is overwritten",
        "Look again just before the write (Unison, Maestral).",
        "local/tree.py",
        "            _flush(fd)\n            self._require(parent_fd, name, key, expected)\n",
        "            _flush(fd)\n",
        (f"{TREE}::test_a_file_that_changed_since_the_plan_is_not_overwritten",),
    ),
    Mutant(
        "a download replaces the old version without a trace",
        "I1: in-place downloads destroy the original (s5cmd #493, aws-cli #701).",
        "local/tree.py",
        "                self._link_to_trash(parent_fd, name, key)\n                os.rename",
        "                os.rename",
        (f"{TREE}::test_the_version_that_is_replaced_stands_in_the_trash_byte_for_byte",),
    ),
    Mutant(
        "a local deletion leaves nothing in the trash",
        "I1: what is deleted stands in the trash.",
        "local/tree.py",
        "            self._link_to_trash(parent_fd, name, entry.key)\n",
        "",
        (GONE_HERE,),
    ),
    Mutant(
        "what the trash held before is believed of any other passes",
        "What is counted once must be of the very passes that are there, or the limit is none.",
        "local/trash.py",
        "        return self if is_of_them else self.of(0, [])\n",
        "        return self\n",
        (TRASH,),
    ),
    Mutant(
        "what was counted before decides what goes from the trash",
        "What somebody took from it by hand must not cost the versions of another pass.",
        "local/trash.py",
        "            sizes = {name: sizes.get(name) or self._size(name) for name in staying}\n"
        "            at_most = sum(sizes.values())\n",
        "            sizes = {name: sizes.get(name) or self._size(name) for name in staying}\n",
        (TRASH,),
    ),
    Mutant(
        "the name is there before the bytes are",
        "I6: a power failure must not leave a name without its content.",
        "local/tree.py",
        "            _flush(fd)\n            self._require(",
        "            self._require(",
        (f"{TREE}::test_the_data_are_on_disk_before_the_name_is",),
    ),
    Mutant(
        "a download keeps the time of its own arrival",
        "A download sets the mtime to time_created, or one unrecorded goes up again.",
        "local/tree.py",
        "        os.utime(fd, ns=(mtime_ns, mtime_ns))\n",
        "",
        (f"{TREE}::test_a_new_file_stands_there_whole_with_its_time",),
    ),
    Mutant(
        "a file that changes while it is read is relied upon",
        "Growing files make conflict storms (rclone #717, maestral #319).",
        "local/reading.py",
        "return local_entry(self.entry.key, status) == self.entry and stat.S_ISREG(status.st_mode)",
        "return stat.S_ISREG(status.st_mode)",
        (f"{TREE}::test_a_file_that_changes_while_it_is_read_is_not_relied_upon",),
    ),
    Mutant(
        "a link on the way is followed",
        "I7: nothing is written outside the root, whatever a link says.",
        "local/descend.py",
        "DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        "DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC",
        (f"{TREE}::test_a_link_on_the_way_is_not_followed",),
    ),
    Mutant(
        "the program's own folder is synchronised",
        "I4: what the trash holds must not travel.",
        "local/scan.py",
        "    if name != CONTROL_DIR:\n        yield",
        "    if name:\n        yield",
        (f"{SCAN}::test_the_control_directory_is_never_told_of",),
    ),
    Mutant(
        "the bucket's loser is overwritten without a trace",
        "I1: a conflict's loser goes to the trash, the bucket's too.",
        "execute/action.py",
        "            self.tree.keep_in_trash(staged, action.key)\n            return _Extra()\n",
        "            return _Extra()\n",
        (f"{CONFLICTS}::test_equal_size_and_other_content_is_a_conflict",),
    ),
    Mutant(
        "an object is deleted without a last look",
        "I2: both sides are as planned at the moment of the act.",
        "execute/action.py",
        "        self._require_unchanged(remote)\n",
        "",
        (f"{DELETIONS}::test_an_object_that_changed_since_the_plan_is_not_deleted",),
    ),
    Mutant(
        "an object is overwritten without a last look",
        "I1: a loser that changed again since it was fetched is not overwritten.",
        "execute/action.py",
        "            self._require_unchanged(action.remote)\n",
        "",
        (f"{DELETIONS}::test_the_loser_of_a_conflict_that_changes_again_is_not_overwritten",),
    ),
    Mutant(
        "an object is deleted though its file came back",
        "I2: both sides are as planned at the moment of the act.",
        "execute/action.py",
        "if self.tree.look(action.key) is not None:",
        "if False:",
        (f"{DELETIONS}::test_a_local_file_that_came_back_since_the_plan_keeps_its_object",),
    ),
    Mutant(
        "a file is deleted though its object came back",
        "I2: both sides are as planned at the moment of the act.",
        "execute/action.py",
        "if self.bucket.get(action.key) is not None:",
        "if False:",
        (f"{DELETIONS}::test_a_local_file_is_deleted_only_if_both_sides_are_still_as_planned",),
    ),
    Mutant(
        "a failed key stops the others",
        "I12: an error on one key never stops the others.",
        "execute/action.py",
        "        except (KeyFailure, OSError) as error:\n"
        "            return _failed(action, error)\n\n    def run_settled",
        "        except ZeroDivisionError as error:\n            raise\n\n    def run_settled",
        (f"{FAULTS}::test_an_upload_that_always_fails_stops_no_other_and_heals",),
    ),
    Mutant(
        "an upload that failed is recorded",
        "The baseline is built from outcomes, never from intentions (Mutagen).",
        "execute/action.py",
        "    return Outcome(action, None, problem=Problem(action.key, message), error=error)",
        "    entry = action.local\n"
        "    meant = entry and BaselineEntry(entry.key, entry.size, entry.mtime_ns, 1)\n"
        "    problem = Problem(action.key, message)\n"
        "    return Outcome(action, None, baseline=meant, problem=problem, error=error)",
        (f"{FAULTS}::test_an_upload_that_failed_is_never_taken_for_a_deletion",),
    ),
    Mutant(
        "an upload is recorded with this machine's clock",
        "Only the listing tells when an object was stored; a guess makes it come down again.",
        "execute/action.py",
        "            Verb.UPLOAD,\n            intents=(",
        "            Verb.UPLOAD,\n            baseline=BaselineEntry(\n"
        "                action.key, local.size, local.mtime_ns, self.now_ns() // 1000\n"
        "            ),\n            intents=(",
        (f"{CHANGES}::test_a_local_edit_travels_even_with_an_old_mtime",),
    ),
    Mutant(
        "what is equal is never recorded",
        "Equal files never recorded are compared for ever (rclone #9939).",
        "execute/action.py",
        "return Outcome(action, Verb.ADOPT, baseline=baseline, bytes_down=bytes_down)",
        "return Outcome(action, Verb.ADOPT, baseline=None, bytes_down=bytes_down)",
        (f"{CONFLICTS}::test_equal_content_is_adopted_without_a_transfer",),
    ),
    Mutant(
        "uploads begin without a written intent",
        "I5: a pass that was killed must know its own objects again.",
        "perform.py",
        "            if begun:\n",
        "            if begun and not actions:\n",
        (f"{FAULTS}::test_an_edit_after_an_unconfirmed_upload_still_wins",),
    ),
    Mutant(
        "a fresh file is not left to come to rest",
        "Growing files make conflict storms (rclone #717): `settle` waits for them.",
        "execute/action.py",
        "return 0 <= self.now_ns() - action.local.mtime_ns < self.settle_ns",
        "return False",
        (f"{PASS}::test_a_file_that_keeps_changing_is_left_and_said_to_be",),
    ),
    Mutant(
        "a dry run writes its state",
        "I8: a dry run changes nothing, anywhere.",
        "reconcile.py",
        "BaselineStore.open_read_only(self._state_path, places.identity(self._profile))",
        "(self._state_dir.mkdir(exist_ok=True) or BaselineStore).open("
        "self._state_path, places.identity(self._profile))",
        (f"{PASS}::test_a_dry_run_changes_nothing_anywhere",),
    ),
]

LANED = [
    Mutant(
        "lanes are left suspended when their thread ends",
        "A service would hold a hundred KiB more after each pass, for ever.",
        "lanes.py",
        "                lane.throw()\n",
        "                pass\n",
        (f"{LANES}::test_lanes_leave_nothing_behind",),
    ),
    Mutant(
        "what held up all lanes is never noticed",
        "Files may be far away: then one thread for all of them is slower than many.",
        "lanes.py",
        "            self.are_held_up = self.are_held_up or busy.was_held_up()\n",
        "            busy.was_held_up()\n",
        (f"{LANES}::test_what_waits_for_a_slow_disk_is_done_by_threads",),
    ),
    Mutant(
        "lanes come on top of the workers that were asked for",
        "`workers` is how many files travel at once, whoever moves them.",
        "lanes.py",
        "if self._want_slot or not self.slots.take_spare():",
        "if not (self.slots.take_spare() or True):",
        (f"{LANES}::test_threads_and_lanes_together_are_no_more_than_the_workers",),
    ),
    Mutant(
        "no address is asked for while as many files as workers travel",
        "Both the service and the storage would stand idle for half of the time.",
        "lanes.py",
        "        self._ahead.discard(self.here())\n        return True",
        "        return True",
        (f"{LANES}::test_addresses_are_asked_for_while_other_files_travel",),
    ),
    Mutant(
        "an address is asked for of every file that is ready",
        "They are worth nothing any more once somebody stops the pass, and each was a call.",
        "lanes.py",
        "        return bool(self._jobs) and len(self._ahead) < self._count\n",
        "        return bool(self._jobs)\n",
        (f"{LANES}::test_addresses_are_asked_for_while_other_files_travel",),
    ),
    Mutant(
        "what ends a pass waits for those that wait themselves",
        "A stop must be heeded at once, not after an hour.",
        "lanes.py",
        "        return is_late or (self.stopping is not None and self.stopping.is_set())\n",
        "        return is_late\n",
        (f"{LANES}::test_who_is_to_stop_does_not_wait_on",),
    ),
    Mutant(
        "lanes that break down leave their jobs waiting",
        "Whatever happens in there, nobody may wait for ever.",
        "lanes.py",
        "                waiting.lane.switch(_BROKEN_OFF)\n                time",
        "                time",
        (f"{LANES}::test_if_the_lanes_break_down_every_job_ends_all_the_same",),
    ),
    Mutant(
        "what is ready when a stop is asked for is begun all the same",
        "A hundred small files may be ready, and each of them waits for the quota.",
        "execute/pool.py",
        "        if not self.has_begun and stop.is_asked:\n",
        "        if not self.has_begun and stop.urgent.is_set():\n",
        (f"{STOP}::test_what_is_under_way_ends_and_the_rest_waits_for_the_next_pass",),
    ),
    Mutant(
        "a connection that nobody uses any more is looked at for ever",
        "Servers close those that are idle, and then a service would never sleep.",
        "sockets.py",
        "            self._leave(fd)  # The server",
        "            pass  # The server",
        (f"{HTTP}::test_connections_that_are_closed_meanwhile_keep_no_lane_awake",),
    ),
    Mutant(
        "a new socket is taken for the one that had its number",
        "The kernel forgets what was closed, and nobody would hear of the new one.",
        "sockets.py",
        "        inode = os.fstat(fd).st_ino\n",
        "        inode = 0\n",
        (f"{LANES}::test_a_new_socket_is_not_taken_for_the_one_that_had_its_number",),
    ),
    Mutant(
        "lanes take the slots that threads wait for",
        "A big file would not move until the last of ten thousand small ones is through.",
        "units.py",
        "return not self._waiting and self._take_free()",
        "return self._take_free()",
        (f"{LANES}::test_a_thread_that_waits_for_a_slot_comes_before_lanes",),
    ),
    Mutant(
        "who rings late writes to whatever has the bell's number by then",
        "It may be a file of the user's, or the record.",
        "lanes.py",
        "                if not self._is_hung_up:\n",
        "                if True:\n",
        (f"{LANES}::test_who_rings_when_the_lanes_have_just_ended_writes_to_nobody",),
    ),
    Mutant(
        "answers that come while others are heeded wait for the next socket",
        "With TLS no socket may tell of them: a thousand files would take a minute.",
        "lanes.py",
        "        while answered := list(self._answered()):\n",
        "        for answered in [list(self._answered())]:\n",
        (f"{LANES}::test_what_ends_while_another_lane_is_at_work_is_heeded",),
    ),
]

PROVED = [
    Mutant(
        "a body in crumbs is written with one call",
        "The system refuses more than 1,024 blocks at once, and the object never comes.",
        "bucket/exchange.py",
        "if len(self._blocks) >= _TOGETHER or time",
        "if time",
        (f"{BAD_ANSWERS}::test_a_range_may_come_in_crumbs",),
    ),
    Mutant(
        "the system takes megabytes that it has not sent",
        "Progress tells of bytes that nobody has received.",
        "bucket/http.py",
        "        _keep_little_unsent(fd)\n",
        "",
        (f"{HTTP}::test_what_nobody_has_received_was_not_sent_long_ago",),
    ),
    Mutant(
        "the end of a body stays behind",
        "I6: nor may a body that came whole be taken for cut off, and fetched for ever.",
        "bucket/exchange.py",
        "        self._hand_over()\n        answer.data",
        "        answer.data",
        (f"{HTTP}::test_what_came_last_is_handed_over_when_the_body_ends",),
    ),
    Mutant(
        "what a file system did not take of a range is skipped",
        "I6: a final path never holds partial data.",
        "bucket/ranges.py",
        "            left -= written\n",
        "            left = 0\n",
        (f"{PARTS}::test_a_file_system_that_takes_less_than_it_is_given_gets_the_rest",),
    ),
    Mutant(
        "what was stored otherwise than sent is taken for stored",
        "I6: what the provider tells of other bytes is sent again.",
        "bucket/upload.py",
        "    if digests:\n",
        "    if not digests:\n",
        (f"{PROOFS}::test_what_was_stored_otherwise_is_sent_again",),
    ),
    Mutant(
        "a CRC of Azure's is read from the wrong end",
        "Each upload would be taken for damaged, and read a second time for its MD5.",
        "bucket/digest.py",
        "azure and azure[::-1]",
        "azure",
        (f"{PROOFS}::test_the_crc_of_s3_and_azure_is_understood",),
    ),
    Mutant(
        "an MD5 is computed where a CRC proves it",
        "It takes as long as the wire, of which a CRC takes a hundredth.",
        "bucket/upload.py",
        'self._by_provider.get(provider, "crc64nvme")',
        'self._by_provider.get(provider, "md5")',
        (f"{PROOFS}::test_no_md5_is_computed_where_a_crc_proves_it",),
    ),
    Mutant(
        "a block of which nothing is proved is taken for sent",
        "An older Azure tells nothing of a block, but holds it against an MD5 that it is told.",
        "bucket/upload.py",
        "        if _require_same(told, body, AZURE, proofs):\n",
        "        if _require_same(told, body, AZURE, proofs) or True:\n",
        (f"{PROOFS}::test_a_block_of_which_nothing_is_proved_is_sent_again_with_an_md5",),
    ),
]

REMEMBERING = [
    Mutant(
        "the last pass is forgotten with the old ones",
        "For how long nothing has run is what somebody will want to know.",
        "store/history.py",
        "AND number IS NOT (SELECT max(number) FROM pass)\n",
        "",
        (f"{ROWS}::test_the_last_pass_stays_however_old",),
    ),
    Mutant(
        "a pass that was killed is under way while anything has the profile",
        "The row of a dead process must not borrow the lock of a living one.",
        "status/read.py",
        "if holder is not None and holder.process == newest.process:",
        "if holder is not None:",
        (f"{HISTORY}::test_a_killed_pass_is_not_under_way_because_something_else_has_the_profile",),
    ),
    Mutant(
        "a pass that ends while it is asked about was killed",
        "Two looks at two things are not one look: the second may be of another moment.",
        "status/read.py",
        "or newest == before:",
        "or find_holder(state_dir, name) is None:",
        (f"{HISTORY}::test_a_pass_that_ends_while_it_is_asked_about_was_not_killed",),
    ),
    Mutant(
        "the words of a bug are remembered",
        "I9: an exception that is not ours may carry a signed URL.",
        "diary.py",
        'f"a bug in ubiops-file-sync ({type(error).__name__})"',
        "str(error)",
        (f"{HISTORY}::test_of_a_bug_only_its_kind_is_remembered",),
    ),
    Mutant(
        "a history that cannot be written fails the pass",
        "A pass is worth more than the memory of it.",
        "diary.py",
        "except ConfigError as error:",
        "except KeyError as error:",
        (f"{HISTORY}::test_a_pass_that_cannot_be_remembered_is_done_all_the_same",),
    ),
    Mutant(
        "whoever asks for the holder takes the lock for an instant",
        "A status must never make a pass fail.",
        "store/lock.py",
        "        told = fcntl.fcntl(fd, fcntl.F_OFD_GETLK",
        "        fcntl.flock(fd, fcntl.LOCK_SH)\n        told = fcntl.fcntl(fd, fcntl.F_OFD_GETLK",
        (f"{LOCK}::test_whoever_asks_without_end_never_keeps_a_pass_from_its_lock",),
    ),
    Mutant(
        "the text in the lock file is believed",
        "A lock that cannot go stale: the text outlives its writer.",
        "store/lock.py",
        "if struct.unpack(_FLOCK, told)[0] == fcntl.F_UNLCK:",
        "if not told:",
        (f"{LOCK}::test_a_holder_in_another_process_is_told_until_it_is_killed",),
    ),
]

TELLING = [
    Mutant(
        "a traceback is logged as it is",
        "I9: exceptions of clients quote the URLs that they asked.",
        "logs/lines.py",
        "record.exc_text = redacted(record.exc_text)",
        "record.exc_text = str(record.exc_text)",
        (f"{REDACTION}[TEXT]",),
    ),
    Mutant(
        "what comes with a record is not looked at",
        "I9: `extra=` may bring headers.",
        "logs/lines.py",
        "        return redacted(text)\n",
        "        return text\n",
        (f"{REDACTION}[JSON]",),
    ),
    Mutant(
        "a key is logged as it is",
        "A name with an end of line in it forges a record.",
        "logs/lines.py",
        "{whose}{printable(record.getMessage())}",
        "{whose}{record.getMessage()}",
        (f"{LINES}::test_no_name_of_a_file_makes_a_line_of_its_own[DatedLines]",),
    ),
    Mutant(
        "the variable alone stands for the journal",
        "Doubled or missing timestamps (maestral #105): it is inherited by whatever is started.",
        "logs/root.py",
        'return told == f"{seen.st_dev}:{seen.st_ino}"',
        "return seen is not None",
        (f"{STDERR}::test_whatever_else_a_service_writes_to_is_not_taken_for_the_journal",),
    ),
    Mutant(
        "two names of one log mean two locks",
        "Lines are lost where one process renames what another writes.",
        "logs/rotating.py",
        "path = os.path.realpath(file.path)",
        "path = os.path.abspath(file.path)",
        (f"{LOG_FILE}::test_processes_that_write_one_file_lose_and_tear_no_line[text]",),
    ),
    Mutant(
        "a hook inherits copies of the token",
        "I9: its environment is printed by the first one who debugs it.",
        "hooks.py",
        "if name not in hidden and not holds_secret(text)",
        "if name not in hidden",
        (f"{HOOKS}::test_no_token_is_in_its_environment",),
    ),
    Mutant(
        "what a hook started outlives its timeout",
        "A script that hangs leaves another process behind with every pass.",
        "hooks.py",
        "os.killpg(process.pid, signal.SIGKILL)",
        "os.kill(process.pid, signal.SIGKILL)",
        (f"{HOOKS}::test_one_that_takes_too_long_is_killed_with_all_that_it_started",),
    ),
    Mutant(
        "the thread of the metrics looks whether to stop",
        "A service that has nothing to do sleeps.",
        "metrics.py",
        "serve_forever(poll_interval=None)",
        "serve_forever(poll_interval=0.5)",
        (f"{METRICS}::test_it_sleeps_while_nobody_asks",),
    ),
]

INSTALLING = [
    Mutant(
        "a variable goes before the credential of its name",
        "A token that was rotated is not the one that is used.",
        "config/tokens.py",
        "path = file if file is not None else credential_file(variable, env)",
        "path = file if file or variable in env else credential_file(variable, env)",
        (f"{TOKENS}::test_a_credential_of_systemd_goes_before_the_variable_of_its_name",),
    ),
    Mutant(
        "a unit that somebody changed is overwritten",
        "Nothing of the user's is overwritten unasked.",
        "service/install.py",
        "if in_the_way and not force:",
        "if len(in_the_way) == len(files) and not force:",
        (f"{INSTALL}::test_what_somebody_changed_is_not_overwritten_unless_forced",),
    ),
    Mutant(
        "a single pass removes the service's socket",
        "systemd removes the runtime folder of a unit that ends, whoever else uses it.",
        "service/unit_templates/ubiops-file-sync@.service.in",
        "LogsDirectory=ubiops-file-sync\n",
        "LogsDirectory=ubiops-file-sync\nRuntimeDirectory=ubiops-file-sync\n",
        (f"{UNITS}::test_a_single_pass_leaves_the_services_socket_alone",),
    ),
    Mutant(
        "systemd expands what is in a path",
        "I7: another directory than the one that is named.",
        "service/units.py",
        'text.replace("%", "%%")\n    if _PLAIN',
        "text\n    if _PLAIN",
        (f"{UNITS}::test_words_that_mean_something_to_systemd_are_taken_as_they_are",),
    ),
    Mutant(
        "the token of a private installation goes to the public address",
        "A service does not see the variables of the shell that installed it.",
        "service/install.py",
        "environment=tuple(self._environment()),",
        "environment=(),",
        (f"{INSTALL}::test_a_host_that_only_a_variable_names_is_not_lost",),
    ),
]

LENDING = [
    Mutant(
        "a folder that was emptied keeps its record",
        "I2: one file fetched into it, and every other one passes for deleted.",
        "reconcile.py",
        "if self._fills_anew(comparison, plan):",
        "if plan is None:",
        (f"{CLASSIC}::test_a_file_put_into_an_emptied_folder_makes_no_other_a_deleted_one",),
    ),
    Mutant(
        "a few keys tell of the whole root",
        "I2: an unmounted disk deletes in the bucket whatever is asked for by name.",
        "compare.py",
        "return self.store.count_in_step() if deletes or not here else 0, here",
        "return summary.in_step, 1",
        (f"{ONLY}::test_an_empty_root_is_no_reason_to_delete_the_one_that_was_asked_for",),
    ),
    Mutant(
        "a pass over a few keys is taken for a whole one",
        "I5: what others have begun is begun anew.",
        "compare.py",
        "plan.only, plan.is_whole = only, False",
        "plan.only = only",
        (f"{ONLY}::test_big_files_that_others_began_are_gone_on_with",),
    ),
    Mutant(
        "one way judges what travels the other way",
        "I5: an upload between two passes costs a download all that has arrived of it.",
        "unfinished.py",
        "judged = plan.is_whole and direction in {one.direction, Direction.TWO_WAY}",
        "judged = plan.is_whole",
        (f"{ONLY}::test_a_pass_the_other_way_leaves_alone_what_has_arrived[upload]",),
    ),
    Mutant(
        "a ready file goes up on its own",
        "Whoever waits for it in the bucket takes the folder for complete.",
        "compare.py",
        "is_early = plan.only is not None and self._sends_ready_file(item)",
        "is_early = False",
        (f"{ONLY}::test_a_ready_file_waits_for_a_pass_that_knows_its_folder",),
    ),
    Mutant(
        "a lock is closed and not given back",
        "A child that the program forked keeps the profile for as long as it lives.",
        "store/lock.py",
        "            _give_back(fd)\n",
        "            pass\n",
        (f"{LOCK}::test_a_child_that_was_forked_meanwhile_does_not_keep_the_profile",),
    ),
    Mutant(
        "the prefix is taken out wherever it stands",
        "What these functions replace put files elsewhere by string replacement.",
        "downloader.py",
        "full = named.removeprefix(prefix)",
        'full = named.replace(prefix, "")',
        (f"{CLASSIC}::test_every_item_of_a_listing_comes_down",),
    ),
    Mutant(
        "a watcher sends what it has seen once",
        "Growing files make conflict storms (rclone #717, maestral #319).",
        "lookout.py",
        "self._send_all(now_s - self.profile.settle, now_s,",
        "self._send_all(now_s, now_s,",
        (f"{WATCHER}::test_a_file_goes_up_once_two_looks_have_found_it_the_same",),
    ),
    Mutant(
        "a watcher asks about what was left again and again",
        "API calls are the scarce resource: 300 a minute.",
        "lookout.py",
        "self._files.put_off(chosen, math.inf)",
        "self._files.put_off(chosen, now_s + 1)",
        (f"{WATCHER}::test_a_newer_object_is_preserved_and_asked_about_once",),
    ),
    Mutant(
        "a watcher drains once the thread pools are gone",
        "What a program wrote last is not uploaded.",
        "watcher.py",
        "threading._register_atexit(_shut_down_at_exit)",
        '__import__("atexit").register(_shut_down_at_exit)',
        (f"{WATCHER}::test_a_program_ends_by_itself_and_what_it_wrote_last_is_there",),
    ),
]

MUTANTS = [
    *DECIDING,
    *MERGING,
    *HALTING,
    *LISTENING,
    *ACTING,
    *LANED,
    *PROVED,
    *REMEMBERING,
    *TELLING,
    *INSTALLING,
    *LENDING,
]
