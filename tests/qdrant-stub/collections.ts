/** What the stub keeps: collections of points, and what the requests that our adapter makes do to them. */
import { accepts, Unsupported } from './filter.ts'

type Json = Record<string, unknown>

export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

interface StubPoint {
  id: string
  vector: Record<string, Float32Array>
  payload: Json
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class StubCollection {
  readonly config: Json
  readonly #sizes: Record<string, { size: number }>
  readonly #points = new Map<string, StubPoint>()

  constructor({ vectors, metadata }: Json) {
    this.#sizes = vectors as Record<string, { size: number }>
    this.config = {
      params: { vectors },
      hnsw_config: {},
      optimizer_config: {},
      ...(metadata !== undefined && { metadata }),
    }
  }

  update(operations: Json[]): void {
    for (const operation of operations) {
      if ('upsert' in operation) this.#upsert(operation.upsert as Json)
      else if ('delete' in operation)
        for (const id of listOf(operation.delete, 'points')) this.#points.delete(String(id))
      else throw new Refused(400, `the stub knows no operation ${Object.keys(operation)}`)
    }
  }

  #upsert({ points, update_mode }: Json): void {
    const read = (points as Json[]).map((point) => this.#read(point))
    for (const point of read) {
      if (update_mode === 'insert_only' && this.#points.has(point.id)) continue
      this.#points.set(point.id, point)
    }
  }

  #read({ id, vector, payload }: Json): StubPoint {
    if (!UUID.test(String(id))) throw new Refused(400, `${id} is no point id`)
    const named = Object.entries(vector as Record<string, number[]>).map(([name, values]) => {
      if (this.#sizes[name]?.size !== values.length) throw new Refused(400, 'Vector dimension error')
      return [name, normalized(values)]
    })
    return { id: String(id), vector: Object.fromEntries(named), payload: payload as Json }
  }

  retrieve({ ids, ...select }: Json): Json[] {
    const found = (ids as string[]).map((id) => this.#points.get(id)).filter((point) => point !== undefined)
    return found.map((point) => shown(point, select))
  }

  scroll({ filter, limit, offset, ...select }: Json): Json {
    const all = this.#matching(filter).sort((a, b) => (a.id < b.id ? -1 : 1))
    const rest = all.filter(({ id }) => offset === undefined || id >= String(offset))
    const page = rest.slice(0, (limit as number | undefined) ?? 10)
    return { points: page.map((point) => shown(point, select)), next_page_offset: rest[page.length]?.id ?? null }
  }

  count({ filter }: Json): Json {
    return { count: this.#matching(filter).length }
  }

  query({ query, using, filter, limit, ...select }: Json): Json {
    const name = String(using)
    if (!(name in this.#sizes)) throw new Refused(400, `Not existing vector name error: ${name}`)
    const wanted = normalized(query as number[])
    const scored = this.#matching(filter).map((point) => ({
      point,
      score: Math.fround(dot(wanted, point.vector[name]!)),
    }))
    // Equal scores in an order of the stub's own: the adapter must not rely on one.
    scored.sort((a, b) => b.score - a.score || (a.point.id < b.point.id ? 1 : -1))
    const best = scored.slice(0, (limit as number | undefined) ?? 10)
    return { points: best.map(({ point, score }) => ({ ...shown(point, select), version: 0, score })) }
  }

  #matching(filter: unknown): StubPoint[] {
    try {
      return [...this.#points.values()].filter(({ payload }) => accepts(filter, payload))
    } catch (error) {
      throw error instanceof Unsupported ? new Refused(400, error.message) : error
    }
  }
}

/** As Qdrant answers: the parts asked for, vectors as numbers. */
function shown({ id, vector, payload }: StubPoint, { with_payload, with_vector }: Json): Json {
  const names = Array.isArray(with_vector) ? (with_vector as string[]) : []
  return {
    id,
    ...(with_payload !== false && { payload: selected(payload, with_payload) }),
    ...(names.length > 0 && { vector: Object.fromEntries(names.map((name) => [name, Array.from(vector[name]!)])) }),
  }
}

function selected(payload: Json, select: unknown): Json {
  if (select === undefined || select === true) return payload
  const names = Array.isArray(select) ? select : (select as { exclude: string[] }).exclude
  const isAsked = (name: string) => names.includes(name) === Array.isArray(select)
  return Object.fromEntries(Object.entries(payload).filter(([name]) => isAsked(name)))
}

const listOf = (value: unknown, field: string): unknown[] => {
  const list = (value as Json)[field]
  if (!Array.isArray(list)) throw new Refused(400, `the stub deletes ${field} only`)
  return list
}

/** Qdrant keeps vectors of cosine at length 1, and leaves those that are. */
function normalized(values: number[]): Float32Array {
  const vector = Float32Array.from(values)
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 || Math.abs(length - 1) < 1e-6 ? vector : vector.map((value) => value / length)
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
