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
  readonly #sizes: Record<string, { size: number }>
  readonly #points = new Map<string, StubPoint>()
  readonly #indexes: Record<string, string> = {}
  #metadata: Json
  #quantization: unknown

  constructor({ vectors, metadata, quantization_config }: Json) {
    this.#sizes = { ...(vectors as Record<string, { size: number }>) }
    this.#metadata = (metadata as Json | undefined) ?? {}
    this.#quantization = quantization_config ?? null
  }

  info(): Json {
    const params = { vectors: this.#sizes }
    const schema = Object.entries(this.#indexes).map(([field, data_type]) => [field, { data_type, points: 0 }])
    return {
      status: 'green',
      optimizer_status: 'ok',
      segments_count: 1,
      payload_schema: Object.fromEntries(schema),
      config: {
        params,
        hnsw_config: {},
        optimizer_config: {},
        metadata: this.#metadata,
        quantization_config: this.#quantization,
      },
    }
  }

  patch({ metadata, quantization_config }: Json): boolean {
    this.#metadata = { ...this.#metadata, ...(metadata as Json | undefined) }
    if (quantization_config !== undefined)
      this.#quantization = quantization_config === 'Disabled' ? null : quantization_config
    return true
  }

  index({ field_name, field_schema }: Json): void {
    this.#indexes[String(field_name)] = String(field_schema)
  }

  addVector(name: string, { dense }: Json): void {
    this.#sizes[name] ??= dense as { size: number }
  }

  dropVector(name: string): void {
    delete this.#sizes[name]
    for (const { vector } of this.#points.values()) delete vector[name]
  }

  update(operations: Json[]): void {
    for (const operation of operations) {
      if ('upsert' in operation) this.#upsert(operation.upsert as Json)
      else if ('update_vectors' in operation) this.#updateVectors(operation.update_vectors as Json)
      else if ('delete' in operation) this.#delete(operation.delete as Json)
      else throw new Refused(400, `the stub knows no operation ${Object.keys(operation)}`)
    }
  }

  #upsert({ points, update_mode, update_filter }: Json): void {
    const read = (points as Json[]).map((point) => this.#read(point))
    for (const point of read) {
      const before = this.#points.get(point.id)
      if (before && (update_mode === 'insert_only' || !this.#accepts(update_filter, before))) continue
      this.#points.set(point.id, point)
    }
  }

  /** As Qdrant does: a point that is not there is an error, one that the filter does not accept is passed over. */
  #updateVectors({ points, update_filter }: Json): void {
    for (const { id, vector } of points as Json[]) {
      const point = this.#points.get(String(id))
      if (point === undefined) throw new Refused(404, `Not found: No point with id ${id} found`)
      if (this.#accepts(update_filter, point)) Object.assign(point.vector, this.#vectors(vector))
    }
  }

  #delete(what: Json): void {
    const ids = 'filter' in what ? this.#matching(what.filter).map(({ id }) => id) : (what.points as unknown[])
    for (const id of ids) this.#points.delete(String(id))
  }

  #read({ id, vector, payload }: Json): StubPoint {
    if (!UUID.test(String(id))) throw new Refused(400, `${id} is no point id`)
    return { id: String(id), vector: this.#vectors(vector), payload: payload as Json }
  }

  #vectors(named: unknown): Record<string, Float32Array> {
    const vectors = Object.entries(named as Record<string, number[]>).map(([name, values]) => {
      this.#assertVector(name)
      if (this.#sizes[name]!.size !== values.length) throw new Refused(400, 'Wrong input: Vector dimension error')
      return [name, normalized(values)]
    })
    return Object.fromEntries(vectors)
  }

  #assertVector(name: string): void {
    if (!(name in this.#sizes)) throw new Refused(400, `Wrong input: Not existing vector name error: ${name}`)
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
    this.#assertVector(name)
    const wanted = normalized(query as number[])
    const scored = this.#matching(filter).flatMap((point) => {
      const vector = point.vector[name]
      return vector ? [{ point, score: Math.fround(dot(wanted, vector)) }] : []
    })
    // Equal scores in an order of the stub's own: the adapter must not rely on one.
    scored.sort((a, b) => b.score - a.score || (a.point.id < b.point.id ? 1 : -1))
    const best = scored.slice(0, (limit as number | undefined) ?? 10)
    return { points: best.map(({ point, score }) => ({ ...shown(point, select), version: 0, score })) }
  }

  #matching(filter: unknown): StubPoint[] {
    return [...this.#points.values()].filter((point) => this.#accepts(filter, point))
  }

  #accepts(filter: unknown, { id, payload, vector }: StubPoint): boolean {
    try {
      return accepts(filter, { id, payload, vectors: Object.keys(vector) })
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
    ...(names.length > 0 && { vector: namedVectors(vector, names) }),
  }
}

function namedVectors(vector: StubPoint['vector'], names: readonly string[]): Json {
  const there = names.filter((name) => name in vector)
  return Object.fromEntries(there.map((name) => [name, Array.from(vector[name]!)]))
}

function selected(payload: Json, select: unknown): Json {
  if (select === undefined || select === true) return payload
  const names = Array.isArray(select) ? select : (select as { exclude: string[] }).exclude
  const isAsked = (name: string) => names.includes(name) === Array.isArray(select)
  return Object.fromEntries(Object.entries(payload).filter(([name]) => isAsked(name)))
}

/** Qdrant keeps vectors of cosine at length 1, and leaves those that are. */
function normalized(values: number[]): Float32Array {
  const vector = Float32Array.from(values)
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 || Math.abs(length - 1) < 1e-6 ? vector : vector.map((value) => value / length)
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
