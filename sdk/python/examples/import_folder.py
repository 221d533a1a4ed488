"""Keeps every file of a folder, many at a time, and lists those that could not be: python import_folder.py FOLDER"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Iterator

from onepeace_client import AsyncClient, NewItem


async def main(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())

    def items() -> Iterator[NewItem]:
        for name in names:
            yield {"id": name, "input": folder / name}

    url = os.environ.get("ONEPEACE_URL", "http://127.0.0.1:8080")
    async with AsyncClient(url, api_key=os.environ.get("ONEPEACE_API_KEY")) as client:
        await client.collections.create("folder-python")
        async for result in client.items.batch("folder-python", items()):
            if "error" in result:
                print(f"{names[result['index']]}: {result['status']} {result['error']['code']}")
        async for item in client.items.list("folder-python"):
            print(f"{item['id']}: {item['modality']}")


asyncio.run(main(Path(sys.argv[1])))
