import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/services/limits.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

it('documents every variable that the program reads, and no other', () => {
  const limits = Object.keys(DEFAULT_LIMITS).map(
    (name) => `ONEPEACE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
  )
  const source = read('src/config.ts').replace(/\/\*[\s\S]*?\*\//g, '') // comments may name what they derive
  const named = [...source.matchAll(/\b(?:ONEPEACE|QDRANT|OTEL|ENCODER|MEDIA|QUEUE)(?:_[A-Z]+)+\b/g)].map(
    ([name]) => name,
  )
  const documented = [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name)
  expect(documented.sort()).toEqual([...new Set([...limits, ...named])].sort())
})
