/** `onepeace doctor`: whether this machine can serve, and what to do where it cannot. Changes nothing. */
import { access, constants } from 'node:fs/promises'
import { freemem } from 'node:os'
import { openBundle, verifyHashes } from '../bundle/open.ts'
import { type Config, type ConfigFlags, loadConfig } from '../config.ts'
import { keysFinding, portFinding } from '../doctor/access.ts'
import { type Finding, fail, ok } from '../doctor/finding.ts'
import { cpuFinding, diskFinding, memoryFinding, nodeFinding, readCpuinfo } from '../doctor/machine.ts'
import { qdrantFinding } from '../doctor/qdrant.ts'
import { placeOf } from '../media-location.ts'
import { printJson } from '../terminal/print.ts'
import { asBytes } from '../terminal/table.ts'
import { inspectDataDir } from './data-dir.ts'
import { sharedFiles } from './files.ts'
import { urlOf } from './listening.ts'
import { isRunning } from './with-service.ts'

export interface DoctorFlags extends ConfigFlags {
  json?: boolean | undefined
}

/** Sets exit code 1 if a check fails. @throws ConfigError */
export async function doctor(flags: DoctorFlags): Promise<void> {
  const findings = await examine(loadConfig(flags))
  const isWell = findings.every(({ status }) => status !== 'fail')
  if (flags.json) printJson({ ok: isWell, findings })
  else tell(findings)
  if (!isWell) process.exitCode = 1
}

async function examine(config: Config): Promise<Finding[]> {
  const { dataDir, qdrantUrl, qdrantApiKey, host, port } = config
  const { finding: model, bytes } = await modelFinding(config.modelDir)
  return [
    nodeFinding(process.versions.node),
    cpuFinding(await readCpuinfo()),
    memoryFinding(process.availableMemory?.() ?? freemem(), bytes),
    await diskFinding(dataDir),
    model,
    qdrantUrl === undefined ? await folderFinding(dataDir) : await qdrantFinding(qdrantUrl, qdrantApiKey),
    ...(config.media ? [await mediaFinding(config.media)] : []),
    await keysFinding(config),
    await portFinding(config, () => isRunning(urlOf({ host, port }))),
  ]
}

async function modelFinding(dir: string): Promise<{ finding: Finding; bytes: number }> {
  try {
    const bundle = await openBundle(dir)
    await verifyHashes(bundle)
    const { name, precision, modalities, heads = [], files } = bundle.manifest
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    const does = [...modalities, ...heads.map((head) => head.name)].join(', ')
    return { finding: ok('model', `${name}, ${precision}, ${asBytes(bytes)}, hashes right: ${does}`), bytes }
  } catch (error) {
    const advice = 'Choose another with --model, or make it again with `onepeace convert`.'
    return { finding: fail('model', (error as Error).message, advice), bytes: 0 }
  }
}

async function folderFinding(dir: string): Promise<Finding> {
  try {
    const { isOurs, heldBy } = await inspectDataDir(dir)
    if (isOurs) await access(dir, constants.W_OK)
    const user = heldBy === undefined ? '' : `, in use by process ${heldBy}`
    return ok('store', isOurs ? `embedded, in ${dir}${user}` : `embedded; ${dir} will be made`)
  } catch (error) {
    return fail('store', (error as Error).message, 'Choose another folder with --data, or make it writable.')
  }
}

async function mediaFinding(media: NonNullable<Config['media']>): Promise<Finding> {
  try {
    if (media.kind === 'folder') await access(media.dir, constants.W_OK)
    else await (await sharedFiles(media)).blobs.ready()
    return ok('originals', `in ${placeOf(media)}, with those of other services`)
  } catch (error) {
    return fail('originals', (error as Error).message, 'Mend MEDIA_URL, or what it names.')
  }
}

const SIGNS = { ok: '✓ ok  ', warn: '! warn', fail: '✗ FAIL' }

function tell(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ check }) => check.length))
  for (const { check, status, found, advice } of findings) {
    console.log(`${SIGNS[status]}  ${check.padEnd(width)}  ${found}`)
    if (advice !== undefined) console.log(`${' '.repeat(width + 10)}→ ${advice}`)
  }
}
