"""``dashboard``: what it listens on, what it says, and what it refuses."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from repviz.dashboards.serve import address_of, make_server
from repviz.errors import UserError


def start(*arguments: str, before: str = "", **environment: str) -> subprocess.Popen:
    code = f"{before}\nfrom repviz.dashboards.serve import dashboard; dashboard({', '.join(arguments)})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def test_the_address_is_printed_when_it_answers_and_host_variable_does_not_count(runs_dir):
    process = start(repr(str(runs_dir)), "port=0", HOST="0.0.0.0", PORT="9")
    try:
        line = process.stdout.readline()
        address = line.split()[2]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/data/runs", timeout=30) as answer:
            assert answer.status == 200
        port = int(address.rsplit(":", 1)[1])
        # Bound to 0.0.0.0 it would also answer at this loopback address.
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
            pass
    finally:
        process.terminate()
        process.wait(30)


def test_ctrl_c_ends_it_without_a_traceback(runs_dir):
    process = start(repr(str(runs_dir)), "port=0")
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(2)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in rest


BUSY_WITHIN_HDF5 = """
import threading, time, h5py, waitress.task
from repviz.dashboards import manifest
waitress.task.ThreadedTaskDispatcher.shutdown.__defaults__ = (True, 0.0)  # it waits for no answer itself
read_frames, held = manifest.read_frames, []

def slow(path):
    if threading.current_thread().name.startswith({thread!r}):
        held.append(h5py.File(path, "r")["coordinates"])  # let go when the program ends, which takes the lock
        print("within HDF5", flush=True)
        until = time.monotonic() + {seconds}
        while time.monotonic() < until:
            read_frames(path)
    return read_frames(path)

manifest.read_frames = slow
"""


@pytest.mark.parametrize("thread", ["repviz-looking-on", "waitress-"])
def test_ctrl_c_ends_it_while_maps_are_looked_into(make_run, thread):
    """A thread that is cut off within HDF5 keeps it locked, and the program would never end."""

    def ask(frame: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # a server that ends may leave it without one
            urllib.request.urlopen(frame, timeout=30).read()

    run = make_run(epochs=30, n=40)
    process = start(repr(str(run.path.parent)), "port=0", before=BUSY_WITHIN_HDF5.format(thread=thread, seconds=3))
    address = process.stdout.readline().split()[2]
    asking = threading.Thread(target=ask, args=(f"{address}/data/runs/{run.path.name}/frames/pca/0",))
    try:
        if thread == "waitress-":
            asking.start()
        assert process.stdout.readline() == "within HDF5\n"
        time.sleep(0.2)
        process.send_signal(2)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest
        assert "Traceback" not in rest
    finally:
        process.kill()
        if asking.ident is not None:
            asking.join(30)


@pytest.mark.parametrize("thread", ["repviz-looking-on", "waitress-"])
def test_a_second_ctrl_c_waits_for_nothing(make_run, thread):
    run = make_run(epochs=30, n=40)
    busy = BUSY_WITHIN_HDF5.format(thread=thread, seconds=60)
    process = start(repr(str(run.path.parent)), "port=0", before=busy)
    try:
        server = process.stdout.readline().split()[2].removeprefix("http://")
        asking = http.client.HTTPConnection(server, timeout=30)
        if thread == "waitress-":
            asking.request("GET", f"/data/runs/{run.path.name}/frames/pca/0")
        assert process.stdout.readline() == "within HDF5\n"
        process.send_signal(2)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(2)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 130, rest
        assert "Traceback" not in rest
        asking.close()
    finally:
        process.kill()
        process.wait()


def test_a_taken_port_says_what_to_do(runs_dir):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} .* is taken.*--port 0"):
            make_server(str(runs_dir), "127.0.0.1", port)


def test_port_0_takes_free_ones(runs_dir):
    servers = [make_server(str(runs_dir), "127.0.0.1", 0) for _ in range(2)]
    addresses = [address_of(server, "127.0.0.1") for server in servers]
    for server in servers:
        server.close()
    assert len(set(addresses)) == 2


def test_another_host_is_served_with_a_warning(runs_dir, capsys):
    server = make_server(str(runs_dir), "0.0.0.0", 0)
    address = address_of(server, "0.0.0.0")
    server.close()
    assert "everyone who can reach this machine" in capsys.readouterr().out
    assert address.startswith("http://127.0.0.1:")


def test_loopback_has_no_warning(runs_dir, capsys):
    make_server(str(runs_dir), "127.0.0.1", 0).close()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_that_do_not_exist(runs_dir, port):
    with pytest.raises(UserError, match="does not exist"):
        make_server(str(runs_dir), "127.0.0.1", port)


def test_a_host_that_is_not_this_machine(runs_dir):
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1"):
        make_server(str(runs_dir), "192.0.2.1", 0)


def test_a_run_instead_of_its_folder_is_pointed_out(make_run):
    run = make_run(epochs=0, n=40)
    with pytest.raises(UserError, match=f"is a run.*--runs-dir {run.path.parent}"):
        make_server(str(run.path), "127.0.0.1", 0)


def test_a_file_instead_of_a_folder_is_pointed_out(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(UserError, match="is a file"):
        make_server(str(tmp_path / "x"), "127.0.0.1", 0)


def test_a_folder_that_does_not_exist_yet_is_served(tmp_path):
    server = make_server(str(tmp_path / "later"), "127.0.0.1", 0)
    server.close()
    assert not (tmp_path / "later").exists()


def test_importing_serve_is_cheap():
    heavy = {"dash", "plotly", "xarray", "numpy", "waitress"}
    code = f"import sys, repviz.dashboards.serve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_large_body_without_a_length_is_refused(served):
    """The server answers and closes while the body is still being sent: the answer, or that it closed, is seen."""
    seen = set()
    for _ in range(5):
        connection = http.client.HTTPConnection(served.removeprefix("http://"), timeout=30)
        chunks = (b"x" * 65536 for _ in range(40))
        try:
            connection.request(
                "POST", "/_dash-update-component", chunks, {"Content-Type": "application/json"}, encode_chunked=True
            )
            seen.add(connection.getresponse().status)
        except ConnectionError:
            seen.add("closed")
        finally:
            connection.close()
    assert seen <= {413, "closed"}
    with urllib.request.urlopen(f"{served}/data/runs", timeout=30) as answer:
        assert answer.status == 200
