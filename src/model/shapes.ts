/** What a checkpoint says about itself without its values: the shapes of its tensors and its nested `cfg`. */

export interface TensorShape {
  name: string
  shape: readonly number[]
}

/** The checkpoint is not one that can be converted; the message says why. */
export class ModelConfigError extends Error {
  override name = 'ModelConfigError'
}

/** Shape lookup that names what is missing. */
export class Shapes {
  readonly #shapes: Map<string, readonly number[]>

  constructor(tensors: Iterable<TensorShape>) {
    this.#shapes = new Map([...tensors].map(({ name, shape }) => [name, shape]))
  }

  /** @throws ModelConfigError if there is no such tensor or axis */
  dim(name: string, axis: number): number {
    const size = this.#shapes.get(name)?.[axis]
    if (size === undefined) {
      throw new ModelConfigError(
        `The checkpoint has no tensor ${name}, without which its configuration cannot be told.`,
      )
    }
    return size
  }

  has(name: string): boolean {
    return this.#shapes.has(name)
  }

  /** How many of `name(0)`, `name(1)`, … there are. */
  count(name: (index: number) => string, first = 0): number {
    let count = 0
    while (this.#shapes.has(name(first + count))) count++
    return count
  }
}

/** A nested `cfg`, plain data from the file. */
export type Cfg = Readonly<Record<string, unknown>>

/** The part of `cfg` under `key`, empty where there is none. */
export function section(cfg: Cfg, key: string): Cfg {
  const value = cfg[key]
  return typeof value === 'object' && value !== null ? (value as Cfg) : {}
}
