/** Every measurement at its smallest, so that none can rot. What it measures is not looked at. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const out = mkdtempSync(join(tmpdir(), 'onepeace-bench-'))
afterAll(() => rmSync(out, { recursive: true }))

/** Those that share `harness.mjs` and say how they are run; other files of the folder are parts of them. */
const scripts = readdirSync(join(root, 'bench')).filter((file) => {
  const text = readFileSync(join(root, 'bench', file), 'utf8')
  return file.endsWith('.mjs') && text.includes(`node bench/${file}`) && text.includes('new Report(')
})

describe('each measurement runs, says on what machine, and writes its figures down:', () => {
  it.each(scripts)('%s', { timeout: 120_000 }, async (script) => {
    const file = join(out, `${script}.json`)
    const args = [join('bench', script), '--smoke', '--json', file]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    expect(stdout).toContain('A smoke run')
    const report = JSON.parse(readFileSync(file, 'utf8'))
    expect(report).toMatchObject({ script: script.replace('.mjs', ''), smoke: true })
    expect(report.machine).toMatchObject({ cores: expect.any(Number), versions: { node: process.version } })
    expect(report.rows.length).toBeGreaterThan(0)
    for (const { name, median, unit } of report.rows) {
      expect([name, unit].every((text) => typeof text === 'string')).toBe(true)
      expect(Number.isFinite(median), name).toBe(true)
    }
  })
})
