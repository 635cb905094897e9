"""The service under a real systemd, installed and used as the README's page says.

The page itself is followed line by line in `inside.py`: a line of it that fails, fails here.
"""

from __future__ import annotations

from systemd.conftest import Step

PASTE = "# paste the token, Enter, Ctrl-D"


def test_what_is_left_after_install_service_makes_it_run(step: Step) -> None:
    assert step("installed")["commands"] == [
        "systemd-sysusers ubiops-file-sync.conf",
        f"install -D -m 600 /dev/stdin /etc/ubiops-file-sync/token    {PASTE}",
        "chown -R ubiops-file-sync: /srv/models",
        "install -d -o ubiops-file-sync -g ubiops-file-sync /srv/big",
        "install -d -o ubiops-file-sync -g ubiops-file-sync '/srv/100% $e cure'",
        "systemctl daemon-reload",
        "systemctl enable --now ubiops-file-sync",
    ]
    found = step("running")
    assert found["status_text"].startswith("3 profiles; ")
    assert found["arrived"] == "ubiops-file-sync 600"


def test_within_its_walls_it_does_all_that_it_does_elsewhere(step: Step) -> None:
    # Both ways, over files of another owner, over TLS, and to a directory with an odd name: the
    # step itself fails if not. Nothing was logged that a wall was in the way of.
    process = step("running")["process"]
    assert process["user"] == "ubiops-file-sync"
    assert process["capabilities"] == 0
    assert process["no_new_privileges"] == "1"
    assert process["seccomp"] == "2"
    assert process["has_timerfd"], "the clock is looked at once a minute, for want of an alarm"


def test_the_token_comes_as_a_credential_and_its_folders_are_its_own(step: Step) -> None:
    found = step("running")
    names = [variable.split("=")[0] for variable in found["process"]["environment"]]
    assert "CREDENTIALS_DIRECTORY" in names
    assert "UBIOPS_API_TOKEN" not in names
    assert found["folders"] == [
        "ubiops-file-sync 700 /var/lib/ubiops-file-sync",
        "ubiops-file-sync 700 /run/ubiops-file-sync",
        "ubiops-file-sync 700 /var/log/ubiops-file-sync",
        "root 600 /etc/ubiops-file-sync/token",
    ]


def test_systemctl_and_the_program_tell_how_it_is_doing(step: Step) -> None:
    told = step("looked_at")["told"]
    assert 'Status: "3 profiles; ' in told["systemctl status ubiops-file-sync"]
    assert "models: in step" in told["sudo ubiops-file-sync status"]
    assert "models: the pass begins" in told["sudo ubiops-file-sync trigger models"]
    log = told["journalctl -u ubiops-file-sync"]
    assert "models: 1 uploaded" in log


def test_root_acts_as_the_services_user(step: Step) -> None:
    found = step("by_hand")
    assert "nothing to do" in found["plan"]
    assert "in step" in found["verify"]
    assert found["not_the_services"] == ""


def test_a_reload_is_told_and_a_bad_configuration_is_not_taken_over(step: Step) -> None:
    found = step("reloaded")
    assert found["heard"], "systemd heard no RELOADING=1"
    assert found["same_process"]
    assert found["bad"].startswith("4 profiles; ")
    assert "the old one goes on" in found["bad"]
    assert "profiles.models.local_dir: is missing" in found["log"]


def test_another_directory_gets_its_place_in_the_units(step: Step) -> None:
    found = step("reloaded")
    assert "--force overwrites them" in found["refused"]
    assert found["commands"] == [
        "chown -R ubiops-file-sync: /srv/added",
        "systemctl daemon-reload",
        "systemctl enable ubiops-file-sync",
        "systemctl restart ubiops-file-sync",
    ]
    assert "added: 1 uploaded" in found["log_file"]


def test_a_process_that_is_stuck_is_ended_by_the_watchdog_and_another_goes_on(step: Step) -> None:
    found = step("stuck")
    assert found["is_left_alone"], "the watchdog ended one that turned"
    assert found["is_another"]
    assert found["ended"]
    assert found["result"]


def test_stopped_in_the_midst_of_a_transfer_it_goes_on_from_there(step: Step) -> None:
    found = step("stopped")
    assert found["ended"] == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}
    assert found["took_s"] < 2 + 10, "stop_timeout, and what it takes to write down what was done"
    assert [one["key"] for one in found["live"]["transfers"]] == ["big"]
    left = found["left"]
    assert left["parts_done"] >= 2
    assert found["rest"]["bytes_up"] == found["size"] - left["parts_done"] * left["part_bytes"]
    assert found["is_same"]


def test_a_single_pass_beside_the_service_steps_back_and_leaves_it_its_socket(step: Step) -> None:
    found = step("stopped")
    assert found["busy"] == "success"
    assert "'big' is being reconciled already" in found["busy_words"]
    assert found["has_socket"]


def test_the_timer_makes_its_passes(step: Step) -> None:
    found = step("timed")
    assert found["service"] == "inactive"
    assert found["timer"] == {"ActiveState": "active", "Persistent": "yes"}
    assert found["one_pass"]["Result"] == "success"
    assert "models: 1 uploaded" in found["journal"]


def test_a_single_pass_that_is_stopped_is_no_failure_and_is_gone_on_with(step: Step) -> None:
    found = step("broken_off")
    assert found["ended"] == "inactive"
    assert found["took_s"] < 10
    left = found["left"]
    assert found["rest"]["bytes_up"] == found["size"] - left["parts_done"] * left["part_bytes"]
    assert found["is_same"]


def test_a_user_may_have_one_without_root(step: Step) -> None:
    found = step("of_a_user")
    assert found["active"] == "active"
    assert "own: in step" in found["status"]
    assert "StatusText=1 profile; " in found["text"]


def test_it_can_be_removed_and_leaves_what_is_not_its_own_to_remove(step: Step) -> None:
    found = step("removed")
    assert found["units"] == ""
    for name in ("config.yaml", "token", "models.sqlite", "from-there.txt"):
        assert name in found["left"].splitlines()


def test_nothing_secret_was_logged(step: Step) -> None:
    found = step("secrets")
    assert found["lines"] > 100
    assert found["told"] == []
