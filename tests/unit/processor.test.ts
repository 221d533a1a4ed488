import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { usableCores } from '../../src/processor.ts'

const dir = mkdtempSync(join(tmpdir(), 'onepeace-processor-'))
afterAll(() => rmSync(dir, { recursive: true }))

function withQuota(text: string): number {
  const file = join(dir, 'cpu.max')
  writeFileSync(file, text)
  return usableCores(file)
}

it('counts the cores that a container has a quota of, a begun one whole, and never more than there are', () => {
  const all = availableParallelism()
  expect(withQuota('max 100000\n')).toBe(all)
  expect(withQuota('50000 100000\n')).toBe(1)
  expect(withQuota('150000 100000\n')).toBe(Math.min(2, all))
  expect(withQuota('99900000 100000\n')).toBe(all)
  expect(withQuota('nonsense')).toBe(all)
  expect(usableCores(join(dir, 'none'))).toBe(all)
})
