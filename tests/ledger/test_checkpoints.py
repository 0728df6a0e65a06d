"""Checkpoints, partial verification and receipts, from the command line and the pages."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.evidence import Checkpoint
from ledger.operations.adjustments import adjust_credit
from ledger.rules.checkpoints import read_checkpoint
from referral.signing import NoKey, is_signed, load_signer
from tests.factories import AT, make_world, user_of


@pytest.fixture
def world(tx):
    """A dealer with the credit of one order."""
    world = make_world(tx)
    world.order()
    return world


@pytest.fixture
def run(app, tx):
    """Call `flask ledger …` and return its exit code and what it said."""

    def call(*arguments):
        tx.commit()
        result = app.test_cli_runner().invoke(args=["ledger", *map(str, arguments)])
        return result.exit_code, result.output

    return call


def adjust(world, key="late", **overrides):
    said = {
        "actor": world.program,
        "at": AT + timedelta(minutes=5),
        "dealer_code": world.dealer.company_code,
        "effective_on": date(2026, 5, 4),
        "amount_cents": 700,
        "reason": "Counted twice",
        "idempotency_key": key,
    }
    return adjust_credit(world.tx, **(said | overrides))


def test_checkpoint_writes_a_file_that_is_signed_and_chained(world, run, tmp_path):
    code, said = run("checkpoint", "--out", tmp_path)
    assert (code, said.startswith("Checkpoint 1-")) == (0, True)
    adjust(world)
    run("checkpoint", "--out", tmp_path)
    files = [read_checkpoint(path.read_bytes()) for path in sorted(tmp_path.iterdir())]
    assert [file.number for file in files] == [1, 2]
    assert files[1].previous_digest == files[0].digest
    key = run("public-key")[1].strip()
    assert all(is_signed(file.digest, file.signature, key) for file in files)
    assert len(files[0].heads.evidence) == 1


def test_verify_proves_old_heads_while_the_ledger_goes_on(world, run, tmp_path):
    run("checkpoint", "--out", tmp_path)
    adjust(world)
    path = tmp_path / "checkpoint-00000001.json"
    code, said = run("verify", "--checkpoint", path)
    assert code == 0
    assert "stands: 2 accounts as they were." in said
    assert "Everything recomputes: 2 accounts, 2 entries, 4 postings." in said


def test_verify_since_a_checkpoint_recomputes_only_what_follows(world, run, tmp_path):
    run("checkpoint", "--out", tmp_path)
    path = tmp_path / "checkpoint-00000001.json"
    adjust(world)
    code, said = run("verify", "--since", path)
    assert code == 0
    assert "What was posted since checkpoint 1-" in said
    code, said = run("verify", "--dealer", world.dealer.company_code.lower())
    assert (code, said) == (0, f"What was posted of {world.dealer.company_code.lower()} recomputes.\n")
    assert run("verify", "--dealer", "NOBODY") == (1, "Error: No dealer has the code NOBODY.\n")


def test_verify_refuses_a_checkpoint_that_was_changed_or_signed_elsewhere(world, run, tmp_path):
    run("checkpoint", "--out", tmp_path)
    path = tmp_path / "checkpoint-00000001.json"
    said = json.loads(path.read_text())
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps({**said, "number": 2}))
    code, words = run("verify", "--checkpoint", changed)
    assert code == 2
    assert "it was changed" in words
    code, words = run("verify", "--checkpoint", path, "--public-key", "ab" * 32)
    assert code == 1
    assert "is not signed with the key expected" in words
    (tmp_path / "text.json").write_text("no JSON")
    assert run("verify", "--checkpoint", tmp_path / "text.json")[0] == 2


def test_a_receipt_comes_with_the_order_and_is_proven(world, client, run, tmp_path):
    _, ref = world.order()
    client.sign_in(user_of(world.tx, world.account))
    said = client.get(f"/orders/{ref}/receipt").json
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(said))
    assert (said["order"], said["amount"], said["sequence"]) == (ref, "4458.30", 2)
    code, words = run("check-receipt", path)
    assert (code, words) == (
        0,
        f"{ref}: 4,458.30 stands as posting 2 of {world.dealer.company_code} 2026.\n",
    )
    path.write_text(json.dumps({**said, "amount": "1.00"}))
    assert "not signed with the key expected" in run("check-receipt", path)[1]
    path.write_text("{}")
    assert run("check-receipt", path)[0] == 1


def test_an_admin_takes_a_checkpoint_on_the_page_and_downloads_it(world, client):
    client.sign_in(user_of(world.tx, world.program))
    page = client.get("/credit/checkpoints")
    assert "No checkpoint yet" in page.text
    answer = client.post("/credit/checkpoints", status=200)
    taken = read_checkpoint(json.dumps(answer.json).encode())
    assert taken.code in client.get("/credit/checkpoints").text
    assert world.tx.scalars(sa.select(Checkpoint.number)).all() == [1]


def test_a_key_is_made_once_and_anything_else_is_refused(tmp_path):
    first = load_signer(tmp_path / "keys" / "signing.pem")
    assert load_signer(tmp_path / "keys" / "signing.pem").public_key == first.public_key
    assert (tmp_path / "keys" / "signing.pem").stat().st_mode & 0o777 == 0o600
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    with pytest.raises(NoKey):
        load_signer(wrong)
    digest = "ab" * 32
    assert is_signed(digest, first.sign(digest), first.public_key)
    assert not is_signed("cd" * 32, first.sign(digest), first.public_key)
    assert not is_signed(digest, "not hexadecimal", first.public_key)
