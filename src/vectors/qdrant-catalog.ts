/**
 * Which collections there are on a Qdrant server, and which vectors they hold.
 *
 *   alias        photos        what everything is asked by; set last, so that a collection is there once it is whole
 *     └► collection  photos~1      its metadata bears { onepeace: Description as JSON text }
 *          └─ vectors     v1, v2 …    one of each model: v2 can be filled while v1 is searched
 *
 * Collections made before there were aliases have the plain name, and go on under it. No name of ours has a `~`, none begins with
 * a dot: what the service keeps for itself (the lock, `.lock`) does.
 */
import { DomainError } from '../errors.ts'
import { type IndexSchema, type QdrantServer, undefinedIfGone } from './qdrant-server.ts'
import { compareIds } from './rows.ts'
import type { NewCollection } from './store.ts'
import { noSuchCollection } from './store-errors.ts'

/** The vectors of one model in a collection. */
export interface Space {
  /** Of the named vector. */
  vector: string
  model: string
  embedDim: number
  /** Whether every item had one when it was filled; until then nobody searches it. */
  complete: boolean
}

/** What stands in a collection's metadata. */
export interface Description extends NewCollection {
  /** In order of time. Absent in collections from before there could be several. */
  spaces?: Space[]
}

const DESCRIPTION = 'onepeace'
const FIRST_VECTOR = 'v1'
const GENERATION = '~1'

/** What filters ask for. `numbers[]`: each number of an item is an entry of its own. */
export const INDEXES: readonly (readonly [field: string, schema: IndexSchema])[] = [
  ['item_id', 'keyword'],
  ['modality', 'keyword'],
  ['sha256', 'keyword'],
  ['facts', 'keyword'],
  ['point', 'integer'],
  ['numbers[].key', 'keyword'],
  ['numbers[].value', 'float'],
]

export class QdrantCatalog {
  readonly #server: QdrantServer
  readonly #known = new Map<string, Promise<Space>>()
  /** Whose vectors are asked for, where a collection has several models'. */
  readonly model: string | undefined

  constructor(server: QdrantServer, model?: string) {
    this.#server = server
    this.model = model
  }

  /** In order of name. */
  async names(): Promise<string[]> {
    const [collections, aliases] = await Promise.all([this.#server.collections(), this.#server.aliases()])
    const plain = collections.filter((name) => !name.includes('~') && !name.startsWith('.'))
    const aliased = [...aliases].filter(([, collection]) => collection.includes('~')).map(([alias]) => alias)
    return [...new Set([...plain, ...aliased])].sort(compareIds)
  }

  /** Names of the collections of ours for which it holds, in order; one that is deleted meanwhile is passed over. */
  async those(holds: (name: string) => Promise<boolean>): Promise<string[]> {
    const found: string[] = []
    for (const name of await this.names())
      if ((await this.describe(name)) && (await undefinedIfGone(() => holds(name)))) found.push(name)
    return found
  }

  /** The Qdrant collection of a name, for what cannot be asked by an alias. @throws DomainError `not-found` */
  async collectionOf(name: string): Promise<string> {
    const aliased = (await this.#server.aliases()).get(name)
    if (aliased !== undefined) return aliased
    if ((await this.describe(name)) === undefined) throw noSuchCollection(name)
    return name
  }

  /** Others' collections whose name has our prefix bear no description: to us they are not there. */
  async describe(name: string): Promise<Description | undefined> {
    const info = await undefinedIfGone(() => this.#server.info(name))
    const text = info?.metadata[DESCRIPTION]
    return typeof text === 'string' ? (JSON.parse(text) as Description) : undefined
  }

  /** What the caller sees: the description with the model whose vectors are asked for. */
  async get(name: string): Promise<NewCollection | undefined> {
    const description = await this.describe(name)
    if (description === undefined) return undefined
    const space = this.#chosen(description)
    this.#known.set(name, Promise.resolve(space))
    const { spaces: _, ...collection } = description
    return { ...collection, model: space.model, embedDim: space.embedDim }
  }

  /** The vectors to search and write. Remembered: `forget` when they turn out to be others. @throws DomainError `not-found` */
  space(name: string): Promise<Space> {
    const known = this.#known.get(name) ?? this.#find(name)
    this.#known.set(name, known)
    known.catch(() => this.#known.delete(name))
    return known
  }

  async #find(name: string): Promise<Space> {
    const description = await this.describe(name)
    if (description === undefined) throw noSuchCollection(name)
    return this.#chosen(description)
  }

  forget(name: string): void {
    this.#known.delete(name)
  }

  #chosen(description: Description): Space {
    const complete = spacesOf(description).filter((space) => space.complete)
    return complete.find(({ model }) => model === this.model) ?? complete.at(-1)!
  }

  /**
   * A creation that another process began is finished: it may have died before the alias.
   * @throws DomainError `conflict` if the name is taken
   */
  async create(collection: NewCollection): Promise<void> {
    const { name, embedDim } = collection
    const taken = () => new DomainError('conflict', `A collection '${name}' already exists.`)
    if (await this.describe(name)) throw taken()
    const made = name + GENERATION
    const isOurs = await this.#server.createCollection(made, { [FIRST_VECTOR]: embedDim }, described(collection))
    try {
      for (const [field, schema] of INDEXES) await this.#server.index(made, field, schema)
      await this.#server.alias(name, made)
    } catch (error) {
      // Without its indexes a collection would be slow for ever: rather none than such a one.
      if (isOurs) await this.#server.deleteCollection(made).catch(() => undefined)
      throw error
    }
    if (!isOurs) throw taken()
    this.#known.set(name, Promise.resolve(this.#chosen(collection)))
  }

  /** @returns whether there was one */
  async delete(name: string): Promise<boolean> {
    this.#known.delete(name)
    const collection = await undefinedIfGone(() => this.collectionOf(name))
    return collection === undefined ? false : this.#server.deleteCollection(collection)
  }

  /** Only under the lock: two who change a description at once would undo each other. */
  async redescribe(name: string, change: (spaces: Space[]) => Space[]): Promise<void> {
    const description = await this.describe(name)
    if (description === undefined) throw noSuchCollection(name)
    const spaces = change(spacesOf(description))
    const { model, embedDim } = spaces.findLast((space) => space.complete)!
    const changed: Description = { ...description, model, embedDim, spaces }
    await this.#server.describe(await this.collectionOf(name), described(changed))
    this.#known.delete(name)
  }
}

export function spacesOf({ spaces, model, embedDim }: Description): Space[] {
  return spaces ?? [{ vector: FIRST_VECTOR, model, embedDim, complete: true }]
}

const described = (description: Description) => ({ [DESCRIPTION]: JSON.stringify(description) })
