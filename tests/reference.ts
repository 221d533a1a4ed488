/**
 * Where the golden data of the reference implementation lies, if it does: the folder of `ONEPEACE_REFERENCE`, else
 * `../shared/reference` beside the repository. Tests that need it skip aloud where it is absent.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const candidate = process.env.ONEPEACE_REFERENCE ?? fileURLToPath(new URL('../../shared/reference', import.meta.url))

/** Absolute path of the reference folder, undefined where there is none. */
export const referenceDir: string | undefined = existsSync(candidate) ? candidate : undefined

if (!referenceDir)
  console.warn(`SKIPPED: no reference data at ${candidate}; set ONEPEACE_REFERENCE to run these tests.`)
