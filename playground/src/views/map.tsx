/** Map: every vector of a collection as a point, near where those like it are. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { vectorsCall } from '../api/calls.ts'
import { type ProblemError, send } from '../api/client.ts'
import { type Direction, neighbour, project } from '../logic/projection.ts'
import { counted, nameOf } from '../logic/words.ts'
import { useSession } from '../session.ts'
import { KindMark } from '../ui/chips.tsx'
import { CopyAs } from '../ui/copy-as.tsx'
import { HitCard, type ItemActions } from '../ui/hit-card.tsx'
import { asProblem } from '../ui/hooks.ts'
import { ProblemNote } from '../ui/problem.tsx'

type Hit = Schemas['Hit']

/** Values fetched at most: 3,000 vectors of the default model, 1,000 of 1,536 values, some 30 MB of JSON. */
const MAX_VALUES = 1.6e6
const MAX_POINTS = 3000
const PAGE = 500

export function MapView({ actions }: { actions: ItemActions }) {
  const { collection, collections } = useSession()
  const known = collections.find(({ name }) => name === collection)
  if (!known || known.items === 0) {
    return (
      <p class="empty">
        There is nothing to map yet. <a href="#/add">Add something.</a>
      </p>
    )
  }
  return <CollectionMap key={`${known.name} ${known.items}`} known={known} actions={actions} />
}

function CollectionMap({ known, actions }: { known: Schemas['Collection']; actions: ItemActions }) {
  const wanted = Math.min(known.items, MAX_POINTS, Math.max(100, Math.floor(MAX_VALUES / known.dims)))
  const { hits, isDone, error } = useVectors(known.name, wanted)
  const [isAligned, setAligned] = useState(false)
  const [selected, setSelected] = useState(0)
  const points = useMemo(
    () =>
      isDone
        ? project(
            hits.map(({ embedding }) => embedding!),
            { groups: isAligned ? hits.map(({ modality }) => modality) : undefined },
          )
        : [],
    [hits, isDone, isAligned],
  )
  const item = hits[selected]
  return (
    <section class="map" aria-label="Map">
      <div class="row head">
        <p role="status" class="small muted">
          {isDone
            ? `${counted(hits.length, 'item')} of ${known.items.toLocaleString('en')}`
            : `Loading ${hits.length} of ${wanted}…`}
        </p>
        <Kinds hits={hits} />
        <label class="inline">
          <input type="checkbox" checked={isAligned} onChange={(event) => setAligned(event.currentTarget.checked)} />
          Lay the kinds over each other
        </label>
        <CopyAs call={vectorsCall(known.name, Math.min(PAGE, wanted), 0)} />
      </div>
      {error && <ProblemNote error={error} />}
      <div class="map-and-item">
        <Plot hits={hits} points={points} selected={selected} onSelect={setSelected} />
        <div class="map-item" aria-live="polite">
          {item && points.length > 0 && (
            <ul class="gallery">
              <HitCard
                item={{
                  id: item.id,
                  modality: item.modality,
                  media_url: item.media_url,
                  ...(item.metadata && { metadata: item.metadata }),
                }}
                actions={actions}
              />
            </ul>
          )}
          <p class="small muted">
            The two directions in which the vectors differ most (principal components of {known.dims}). Distances here
            are a shadow of the real ones. Arrow keys go from point to point.
          </p>
        </div>
      </div>
    </section>
  )
}

function useVectors(collection: string, wanted: number) {
  const [hits, setHits] = useState<Hit[]>([])
  const [isDone, setDone] = useState(false)
  const [error, setError] = useState<ProblemError>()
  useEffect(() => {
    const controller = new AbortController()
    const load = async () => {
      for (let offset = 0; offset < wanted; offset += PAGE) {
        const call = vectorsCall(collection, Math.min(PAGE, wanted - offset), offset)
        const page = await send<Schemas['SearchResponse']>(call, { signal: controller.signal, retries: 2 })
        setHits((now) => [...now, ...page.hits])
        if (page.hits.length === 0) break
      }
      setDone(true)
    }
    load().catch((failure: unknown) => controller.signal.aborted || setError(asProblem(failure)))
    return () => controller.abort()
  }, [])
  return { hits, isDone, error }
}

const KIND_NAMES = { text: 'texts', image: 'pictures', audio: 'sounds' }

function Kinds({ hits }: { hits: readonly Hit[] }) {
  return (
    <ul class="kinds" aria-label="Colours">
      {(['text', 'image', 'audio'] as const).map((kind) => {
        const count = hits.filter(({ modality }) => modality === kind).length
        return (
          count > 0 && (
            <li key={kind}>
              <KindMark kind={kind} /> {count} {KIND_NAMES[kind]}
            </li>
          )
        )
      })}
    </ul>
  )
}

const KEYS: Record<string, Direction> = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' }
const SIDE = 1000
const MARGIN = 40

interface PlotProps {
  hits: readonly Hit[]
  points: readonly [number, number][]
  selected: number
  onSelect(index: number): void
}

function Plot({ hits, points, selected, onSelect }: PlotProps) {
  const svg = useRef<SVGSVGElement>(null)
  const at = ([x, y]: readonly [number, number]) => ({
    cx: SIDE / 2 + x * (SIDE / 2 - MARGIN),
    cy: SIDE / 2 - y * (SIDE / 2 - MARGIN),
  })
  const onKeyDown = (event: KeyboardEvent) => {
    const direction = KEYS[event.key]
    if (!direction || points.length === 0) return
    event.preventDefault()
    onSelect(neighbour(points as [number, number][], selected, direction))
  }
  const onPointer = (event: PointerEvent) => {
    const index = (event.target as Element).getAttribute('data-index')
    if (index !== null) onSelect(Number(index))
  }
  const chosen = hits[selected]
  return (
    <svg
      ref={svg}
      class="plot"
      viewBox={`0 0 ${SIDE} ${SIDE}`}
      role="application"
      aria-roledescription="map"
      aria-label={`Map of ${counted(points.length, 'item')}; at ${chosen ? `${chosen.modality} ${nameOf(chosen)}` : 'none'}. Arrow keys move.`}
      tabindex={0} // of an svg, attributes are what they are written as
      onKeyDown={onKeyDown}
      onPointerOver={onPointer}
      onPointerDown={onPointer}
    >
      {points.map((point, i) => (
        <circle
          key={hits[i]!.id}
          {...at(point)}
          r={i === selected ? 14 : 8}
          data-index={i}
          data-kind={hits[i]!.modality}
          class={i === selected ? 'selected' : ''}
        />
      ))}
    </svg>
  )
}
