/** Your own files: into a collection, searched, and out again. */
import { COLLECTION, type CommandEntry, JSON_OUT, SERVICE } from './entry.ts'

const area = 'Your own files'

export const FILE_COMMANDS: readonly CommandEntry[] = [
  {
    area,
    usage: 'import <sources...>',
    description: 'put folders, files or NDJSON into a collection, which is made if it is not there',
    details:
      'Pictures, sounds and .txt files of a folder and those below it; the id is the path within the folder, which is also in the ' +
      'metadata (path, name, folder). A file FILE.json beside FILE adds metadata. What is already there unchanged is skipped: ' +
      'after an interruption, the same command goes on. Exit code 1 if anything failed; it is listed.',
    examples: [
      'import ~/pictures',
      'import ~/pictures/2024 --collection mine --prefix 2024/',
      'import exported/ --collection copy --url https://onepeace.example',
    ],
    options: [
      COLLECTION,
      ['--prefix <text>', 'put before each id, so that folders with equal names inside stay apart'],
      ['--concurrency <number>', 'items on their way at once', '8'],
      JSON_OUT,
      ...SERVICE,
    ],
    run: async (sources: never, flags: never) => (await import('../import.ts')).importAll(sources, flags),
  },
  {
    area,
    usage: 'search [words...]',
    description: 'find what is nearest to words, pictures, sounds, all of them together, or a stored item',
    examples: [
      'search a dog on the beach',
      'search --audio bark.wav --modality image',
      'search at night --image street.jpg --limit 3 --json',
      `search a dog --filter '{"must": [{"key": "folder", "match": {"value": "2024"}}]}'`,
      'search --like holiday/dog.jpg',
    ],
    options: [
      ['--image <files...>', 'pictures to search with'],
      ['--audio <files...>', 'sounds to search with'],
      ['--like <id>', 'item of the collection to search with'],
      COLLECTION,
      ['--limit <number>', 'hits at most', '10'],
      ['--modality <names>', 'only text, image, audio; several with commas'],
      ['--filter <json>', 'only items whose metadata it accepts (docs/searching.md)'],
      JSON_OUT,
      ...SERVICE,
    ],
    run: async (words: never, flags: never) => (await import('../search.ts')).search(words, flags),
  },
  {
    area,
    usage: 'export <collection>',
    description: 'write originals, metadata and vectors of a collection; `import` reads them back',
    details:
      'Into a folder: items.ndjson, and the originals in media/. Into a file that ends in .ndjson: all in one, an item a line.',
    examples: ['export files --out backup', 'export files --out files.ndjson --no-vectors'],
    required: [['--out <place>', 'folder, or file that ends in .ndjson']],
    options: [
      ['--filter <json>', 'only items whose metadata it accepts (docs/searching.md)'],
      ['--no-vectors', 'leave the vectors out'],
      JSON_OUT,
      ...SERVICE,
    ],
    run: async (name: never, flags: never) => (await import('../export.ts')).exportCollection(name, flags),
  },
]
