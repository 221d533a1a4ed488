/** Opens a bundle: reads and validates its manifest, checks that every file is there with the right size. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type BundleFile, type BundleManifest, FORMAT_VERSION, type HeadSpec, MANIFEST_FILE } from './manifest.ts'
import { manifestSchema } from './manifest-schema.ts'

export interface Bundle {
  /** Absolute or working-directory-relative folder. */
  dir: string
  manifest: BundleManifest
}

/** The folder is not a usable bundle; the message says what is wrong and what to do. */
export class BundleError extends Error {
  override name = 'BundleError'
}

const validate = new Ajv2020({ allErrors: true }).compile<BundleManifest>(manifestSchema)

/** @throws BundleError */
export async function openBundle(dir: string): Promise<Bundle> {
  const manifest = await readManifest(dir)
  const findings = await Promise.all(manifest.files.map((file) => sizeFinding(dir, file)))
  const broken = findings.filter((finding) => finding !== undefined)
  if (broken.length > 0)
    throw new BundleError(`The bundle ${dir} is damaged; convert or copy it again. ${broken.join(' ')}`)
  return { dir, manifest }
}

async function readManifest(dir: string): Promise<BundleManifest> {
  const path = join(dir, MANIFEST_FILE)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new BundleError(
      `There is no bundle in ${dir} (${path} cannot be read): make one with \`onepeace convert\`.`,
      {
        cause,
      },
    )
  })
  const manifest: unknown = parseJson(text, path)
  const version = (manifest as { formatVersion?: unknown } | null)?.formatVersion
  if (version !== FORMAT_VERSION) {
    throw new BundleError(
      `${path} has format version ${version}, this program reads ${FORMAT_VERSION}: convert it again.`,
    )
  }
  if (!validate(manifest)) {
    const details = validate.errors!.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('; ')
    throw new BundleError(`${path} is not a valid manifest: ${details}.`)
  }
  const findings = [...(manifest.heads ?? []).flatMap(headFindings), ...repeatedHeads(manifest)]
  if (findings.length > 0) throw new BundleError(`${path} is not a valid manifest: ${findings.join(' ')}`)
  return manifest
}

/** What a JSON Schema cannot say of a head. */
function headFindings({ name, inputs, classes, labels, ...specs }: HeadSpec): string[] {
  const missing = inputs.map((role) => (role === 'image2' ? 'image' : role)).filter((kind) => specs[kind] === undefined)
  const findings = missing.map((kind) => `The head ${name} takes ${kind} but does not say how it must be.`)
  if (labels && labels.length !== classes) {
    findings.push(`The head ${name} has ${classes} classes but ${labels.length} labels.`)
  }
  return findings
}

function repeatedHeads({ heads = [] }: BundleManifest): string[] {
  const repeated = heads.filter(({ name }, i) => heads.findIndex((other) => other.name === name) < i)
  return repeated.map(({ name }) => `There are several heads named ${name}.`)
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BundleError(`${path} is not valid JSON.`, { cause })
  }
}

async function sizeFinding(dir: string, file: BundleFile): Promise<string | undefined> {
  const found = await stat(join(dir, file.path)).catch(() => undefined)
  if (!found) return `${file.path} is missing.`
  if (found.size !== file.bytes) return `${file.path} has ${found.size} bytes instead of ${file.bytes}.`
  return undefined
}

/** @throws BundleError naming each file whose content is not what the manifest says */
export async function verifyHashes({ dir, manifest }: Bundle): Promise<void> {
  const wrong: string[] = []
  for (const file of manifest.files) if ((await hashFile(join(dir, file.path))) !== file.sha256) wrong.push(file.path)
  if (wrong.length > 0)
    throw new BundleError(`The bundle ${dir} was altered: ${wrong.join(', ')}. Convert or copy it again.`)
}

/** Lower-case hex SHA-256 of a file, streamed. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** One hash that identifies the whole bundle: over the names and hashes of its files. */
export function bundleHash(manifest: BundleManifest): string {
  const lines = manifest.files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).sort()
  return createHash('sha256').update(lines.join('')).digest('hex')
}
