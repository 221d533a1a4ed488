/** The service itself, its keys, and what speaks for it elsewhere. */
import { type CommandEntry, DATA, JSON_OUT, MODEL } from './entry.ts'

const area = 'The service'

export const SERVICE_COMMANDS: readonly CommandEntry[] = [
  {
    area,
    usage: 'serve',
    description: 'serve the REST API, with the embedded model and store',
    examples: ['serve', 'serve --samples', 'serve --host 0.0.0.0 --port 80 --data /var/lib/onepeace'],
    options: [
      ['--host <address>', 'address to listen on (default: 127.0.0.1, env ONEPEACE_HOST)'],
      ['--port <number>', 'port to listen on (default: 8080, env ONEPEACE_PORT)'],
      DATA,
      MODEL,
      ['--no-auth', 'let other machines in without keys (env ONEPEACE_NO_AUTH=1)'],
      ['--samples', 'fill a collection of sample pictures and sounds on the first run'],
    ],
    run: async (flags: never) => (await import('../serve.ts')).serve(flags),
  },
  {
    area,
    usage: 'encoder',
    description: 'serve the model alone, to services whose ENCODER_URL names it and that know its ENCODER_SECRET',
    examples: ['encoder', 'encoder --host 10.0.0.5 --port 8081'],
    options: [
      ['--host <address>', 'address to listen on (default: 127.0.0.1, env ONEPEACE_HOST)'],
      ['--port <number>', 'port to listen on (default: 8081, env ONEPEACE_PORT)'],
      MODEL,
    ],
    run: async (flags: never) => (await import('../encoder.ts')).serveEncoder(flags),
  },
  {
    area,
    usage: 'worker',
    description: 'do the jobs that services take, with what QUEUE_URL, MEDIA_URL and QDRANT_URL name, here as there',
    examples: ['worker', 'worker --model models/one-peace'],
    options: [MODEL],
    run: async (flags: never) => (await import('../worker.ts')).work(flags),
  },
  {
    area,
    group: 'keys',
    usage: 'create',
    description: 'make a key and print it, this once',
    examples: [
      'keys create --tenant default --scopes read,write,admin',
      'keys create --tenant acme --scopes read --name website',
    ],
    options: [['--name <label>', 'whose it is, for your own memory'], JSON_OUT, DATA],
    required: [
      ['--tenant <name>', 'whose collections it meets; `default` has those made without keys'],
      ['--scopes <scopes>', 'what it may do: read, write, admin, separated by commas'],
    ],
    run: async (flags: never) => (await import('../keys.ts')).createKey(flags),
  },
  {
    area,
    group: 'keys',
    usage: 'list',
    description: 'list keys: id, tenant, scopes, when it was made, label',
    examples: ['keys list', 'keys list --json'],
    options: [JSON_OUT, DATA],
    run: async (flags: never) => (await import('../keys.ts')).listKeys(flags),
  },
  {
    area,
    group: 'keys',
    usage: 'revoke <id>',
    description: 'revoke a key, at once',
    examples: ['keys revoke 3f9ac2'],
    options: [DATA],
    run: async (id: never, flags: never) => (await import('../keys.ts')).revokeKey(id, flags),
  },
  {
    area,
    group: 'migrate',
    usage: 'plan',
    description: 'list what stored collections lack, and change nothing',
    examples: ['migrate plan'],
    options: [JSON_OUT, DATA],
    run: async (flags: never) => (await import('../migrate.ts')).planMigrations(flags),
  },
  {
    area,
    group: 'migrate',
    usage: 'apply',
    description: 'give it to them, as `serve` does at its start',
    examples: ['migrate apply'],
    options: [DATA],
    run: async (flags: never) => (await import('../migrate.ts')).applyMigrations(flags),
  },
  {
    area,
    group: 'migrate',
    usage: 'status',
    description: 'list all migrations, and whether they are done',
    examples: ['migrate status', 'migrate status --json'],
    options: [JSON_OUT, DATA],
    run: async (flags: never) => (await import('../migrate.ts')).migrationStatus(flags),
  },
  {
    area,
    usage: 'reembed',
    description:
      'make vectors of another model for everything stored, beside those that are searched, then change over',
    examples: ['reembed --to models/one-peace', 'reembed --to models/one-peace --drop-others'],
    options: [['--drop-others', 'delete the vectors of all other models afterwards'], DATA],
    required: [['--to <bundle>', 'bundle whose vectors are wanted']],
    run: async (flags: never) => (await import('../reembed.ts')).reembedAll(flags),
  },
  {
    area,
    usage: 'doctor',
    description: 'check whether this machine can serve: Node, processor, memory, disk, model, store, keys, port',
    details: 'Looks, and changes nothing. Exit code 1 if a check fails; a warning is none.',
    examples: ['doctor', 'doctor --host 0.0.0.0 --data /var/lib/onepeace --json'],
    options: [
      ['--host <address>', 'address that `serve` would listen on (default: 127.0.0.1, env ONEPEACE_HOST)'],
      ['--port <number>', 'port that `serve` would listen on (default: 8080, env ONEPEACE_PORT)'],
      ['--no-auth', 'other machines are to be let in without keys (env ONEPEACE_NO_AUTH=1)'],
      JSON_OUT,
      DATA,
      MODEL,
    ],
    run: async (flags: never) => (await import('../doctor.ts')).doctor(flags),
  },
  {
    area,
    usage: 'mcp',
    description:
      'offer a running service to language models as tools, by the Model Context Protocol on stdin and stdout',
    examples: ['mcp', 'mcp --url https://onepeace.example --allow-dir ~/pictures'],
    options: [
      [
        '--url <address>',
        'address of the service (default: http://127.0.0.1:8080, env ONEPEACE_URL; key: ONEPEACE_API_KEY)',
      ],
      ['--allow-dir <dirs...>', 'folders whose files the tools may read; none by default'],
    ],
    run: async (flags: never) => (await import('../mcp.ts')).mcp(flags),
  },
]
