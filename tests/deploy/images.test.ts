/** The images' recipes and the fleet of compose.yaml, read as data; hadolint and the Compose schema are deploy/check.sh's. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

describe.each(['Dockerfile', 'Dockerfile.encoder'])('%s', (file) => {
  const text = read(file)
  const last = text.slice(text.lastIndexOf('\nFROM '))

  it('runs as a user without rights', () => {
    const [, user] = /^USER (\d+):\d+$/m.exec(last)!
    expect(Number(user)).toBeGreaterThan(0)
    expect(last.indexOf('USER')).toBeGreaterThan(last.lastIndexOf('RUN'))
  })

  it('names the version of every base', () => {
    for (const [, base] of text.matchAll(/^FROM (\S+)/gm)) expect(base).toMatch(/:[\w.-]*\d[\w.-]*$/)
  })

  it('installs what the lock file says, without scripts of packages, and leaves what only building needs behind', () => {
    expect(text).toMatch(/^RUN npm ci --ignore-scripts$/m)
    expect(text).toContain('npm prune --omit=dev')
    expect(last).not.toMatch(/npm (ci|install|i) /)
  })

  it('says how it is asked whether it lives, and starts the program alone', () => {
    expect(last).toMatch(/^HEALTHCHECK /m)
    expect(last).toMatch(/^ENTRYPOINT \["\/opt\/onepeace\/bin\/onepeace\.js"\]$/m)
  })

  it('holds no secret', () => {
    expect(text).not.toMatch(/(ENV|ARG)[^\n]*(SECRET|PASSWORD|API_KEY|TOKEN)/)
  })
})

it('the encoder has the CUDA provider installed while it is built, and fails to build without', () => {
  const text = read('Dockerfile.encoder')
  expect(text).toMatch(/ONNXRUNTIME_NODE_INSTALL=cuda12 .*npm rebuild onnxruntime-node/)
  expect(text).toMatch(/test -s \S*libonnxruntime_providers_cuda\.so/)
  expect(text).toMatch(/^FROM nvidia\/cuda:12\.\d+\.\d+-cudnn-runtime-/m)
  expect(text).toContain('ONEPEACE_DEVICE=cuda')
})

describe('compose.yaml', () => {
  interface Service {
    image?: string
    profiles?: string[]
    ports?: string[]
    read_only?: boolean
    cap_drop?: string[]
    command?: string[]
    environment?: Record<string, string>
  }
  const services: Record<string, Service> = parse(read('compose.yaml'), { merge: true }).services
  const named = (pattern: RegExp) => Object.keys(services).filter((name) => pattern.test(name))

  it('has two services, two encoders, a worker, Redis and a Qdrant of three in the fleet, and a Qdrant alone by default', () => {
    const fleet = Object.keys(services).filter((name) => services[name]!.profiles?.includes('fleet'))
    expect(fleet.sort()).toEqual(
      ['api-1', 'api-2', 'encoder-1', 'encoder-2', 'qdrant-1', 'qdrant-2', 'qdrant-3', 'redis', 'worker'].sort(),
    )
    expect(Object.keys(services).filter((name) => !fleet.includes(name))).toEqual(['qdrant'])
  })

  it('gives each service every encoder, and all of them one queue, one store and one place of originals', () => {
    for (const name of named(/^(api|worker)/)) {
      expect(services[name]!.environment).toMatchObject({
        ENCODER_URL: named(/^encoder/)
          .map((encoder) => `http://${encoder}:8081`)
          .join(','),
        QUEUE_URL: 'redis://redis:6379',
        QDRANT_URL: 'http://qdrant-1:6333',
        MEDIA_URL: 'file:///data/shared',
      })
    }
  })

  it('opens ports on this machine alone', () => {
    for (const { ports = [] } of Object.values(services))
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  it('runs what is ours on read-only file systems without capabilities', () => {
    for (const name of named(/^(api|worker|encoder|redis)/)) {
      expect([services[name]!.read_only, services[name]!.cap_drop], name).toEqual([true, ['ALL']])
    }
  })

  it('starts a cluster: one peer first, the others by it, each collection on two of them', () => {
    const commands = named(/^qdrant-/).map((name) => services[name]!.command!.join(' '))
    expect(commands[0]).not.toContain('--bootstrap')
    for (const command of commands.slice(1)) expect(command).toContain('--bootstrap http://qdrant-1:6335')
    expect(services['qdrant-1']!.environment).toMatchObject({
      QDRANT__CLUSTER__ENABLED: 'true',
      QDRANT__STORAGE__COLLECTION__REPLICATION_FACTOR: '2',
    })
  })

  it('has an example of every variable that it takes', () => {
    const taken = new Set([...read('compose.yaml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name))
    for (const name of taken) expect(read('.env.example'), name).toMatch(new RegExp(`^${name}=`, 'm'))
  })
})

describe('Kubernetes', () => {
  const folder = new URL('../../deploy/kubernetes/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  const objects = files.flatMap((name) => parseAllDocuments(readFileSync(new URL(name, folder), 'utf8')))

  it('is YAML that stands for itself, each object with a kind and a name', () => {
    expect(objects.length).toBeGreaterThan(6)
    for (const object of objects) {
      expect(object.errors).toEqual([])
      const kind = {
        apiVersion: expect.any(String),
        kind: expect.any(String),
        metadata: { name: expect.stringMatching(/^onepeace/) },
      }
      expect(object.toJS()).toMatchObject(kind)
    }
  })

  it('scales what works from nothing, and what scales is there', () => {
    const all = objects.map((object) => object.toJS())
    const scaled = all.filter(({ kind }) => kind === 'ScaledObject')
    for (const { spec } of scaled) {
      expect(spec.minReplicaCount).toBe(0)
      const target = all.find(
        ({ kind, metadata }) => kind === 'Deployment' && metadata.name === spec.scaleTargetRef.name,
      )
      expect(target.spec.replicas).toBe(0)
    }
    expect(scaled).toHaveLength(2)
  })
})
