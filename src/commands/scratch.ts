/**
 * Where libraries put what they need for a while. LanceDB sorts the vectors of an index in a folder that it makes where the
 * environment says (`TMPDIR`): ended, it leaves it empty; killed, with all that was in it. So it is told a folder of ours, on the disk
 * that has room for the data, which each start empties.
 */
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Recurring } from '../recurring.ts'

/** Between sweeps; what is younger than that may be in use. */
const SWEEP_EVERY_MS = 3_600_000

export interface Scratch {
  /** The environment is as it was before. */
  close(): Promise<void>
}

/** @param environment which libraries ask, too */
export async function openScratch(dir: string, environment = process.env): Promise<Scratch> {
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  const before = environment.TMPDIR
  environment.TMPDIR = dir
  const sweeps = new Recurring(() => sweepScratch(dir), SWEEP_EVERY_MS)
  sweeps.start()
  return {
    close: async () => {
      await sweeps.stop()
      if (environment.TMPDIR !== dir) return
      if (before === undefined) delete environment.TMPDIR
      else environment.TMPDIR = before
    },
  }
}

/** Deletes folders that are empty and were left long ago. */
export async function sweepScratch(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name)
    const { mtimeMs } = await stat(path)
    if (mtimeMs < Date.now() - SWEEP_EVERY_MS) await rmdir(path).catch(() => undefined) // one with something in it stays
  }
}
