/** The contract as JSON: `node openapi/to-json.mjs FILE`. Part of the build. */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'

const contract = parse(readFileSync(new URL('openapi.yaml', import.meta.url), 'utf8'))
writeFileSync(process.argv[2], JSON.stringify(contract))
