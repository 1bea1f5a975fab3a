"""Who cannot be answered in time is sent away at once, class work before others."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.overload import Overloaded, WaitingRoom
from serving.settings import Settings
from tests.served import key_for


def test_more_than_may_wait_are_sent_away_and_there_is_room_again_afterwards() -> None:
    async def story() -> None:
        room, going = WaitingRoom(most=2, patience_s=5), asyncio.Event()

        async def ask() -> str:
            try:
                async with room.one():
                    await going.wait()
                    return "answered"
            except Overloaded:
                return "sent away"

        asked = [asyncio.create_task(ask()) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert room.waiting == 2
        going.set()
        told = await asyncio.gather(*asked)
        assert sorted(told) == ["answered"] * 2 + ["sent away"] * 3
        assert await ask() == "answered"
        assert room.waiting == 0

    asyncio.run(story())


def test_who_waited_too_long_is_sent_away() -> None:
    async def story() -> None:
        room = WaitingRoom(most=9, patience_s=0.01)

        async def slow() -> None:
            async with room.one():
                pass

        waiting = asyncio.create_task(slow())
        await asyncio.sleep(0)
        import time

        time.sleep(0.02)  # noqa: ASYNC251 - an answer that is made in one go
        with pytest.raises(Overloaded):
            await waiting

    asyncio.run(story())


def test_a_class_is_sent_away_while_half_of_those_who_may_wait_do() -> None:
    async def story() -> None:
        room, going = WaitingRoom(most=4, patience_s=5), asyncio.Event()

        async def ask() -> None:
            async with room.one():
                await going.wait()

        asked = [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            async with room.a_class():
                pass
        going.set()
        await asyncio.gather(*asked)
        async with room.a_class():
            pass

    asyncio.run(story())


def test_a_class_waits_for_its_turn_and_not_for_ever() -> None:
    async def story() -> None:
        room = WaitingRoom(most=4, patience_s=0.05)
        async with room.a_class(), room.a_class():
            with pytest.raises(Overloaded):
                async with room.a_class():
                    pass
        async with room.a_class():
            # Who has begun may take their time.
            await asyncio.sleep(0.1)

    asyncio.run(story())


def test_over_http_who_is_sent_away_hears_when_to_come_back_and_nobody_gets_another_error(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    app = create_app(Settings(data=tmp_path, max_waiting=3))
    with TestClient(app, headers=headers) as client:
        client.put("/v1/resources", json={"resources": [{"resource_id": "a"}, {"resource_id": "b"}]})

        async def rush() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as many:
                await many.post("/v1/recommendations", json={"learner_id": "first"})
                asked = [many.post("/v1/recommendations", json={"learner_id": f"l{i}"}) for i in range(40)]
                return list(await asyncio.gather(*asked))

        answers = client.portal.call(rush)
        assert {a.status_code for a in answers} == {200, 503}
        for answer in answers:
            if answer.status_code == 503:
                assert answer.headers["retry-after"] == "1"
                assert answer.json()["type"] == "urn:trailmate:problem:unavailable"
        assert client.post("/v1/recommendations", json={"learner_id": "after"}).status_code == 200


def test_who_is_sent_away_is_counted_at_each_door(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'recommend')}"}
    app = create_app(Settings(data=tmp_path))
    with TestClient(app, headers=headers) as client:
        # No room at all, also not for a class.
        app.state.house = replace(app.state.house, waiting_room=WaitingRoom(most=-1, patience_s=1))
        content = b'{"learner_id": "a"}'
        for given in (content, iter([content])):
            answer = client.post("/v1/recommendations", content=given, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.post("/v1/recommendations/batch", json={"learner_ids": ["a"]}).status_code == 503
        assert 'trailmate_refused_requests_total{why="shed"} 3.0' in client.get("/metrics").text
