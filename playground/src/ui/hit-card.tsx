/** One item, found or listed, in the way of its kind. */
import { useEffect, useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { send } from '../api/client.ts'
import { counted, nameOf } from '../logic/words.ts'
import { KindMark } from './chips.tsx'
import { useBytes } from './hooks.ts'
import { Boxes, Thumbnail } from './picture.tsx'
import { StoredPlayer } from './player.tsx'

export type Shown = Pick<Schemas['Hit'], 'id' | 'modality' | 'media_url'> & Partial<Schemas['Hit']>

export interface ItemActions {
  onLike(item: Shown): void
  onAdd(item: Shown): void
  onLook(item: Shown): void
}

/** @param best the best score of all, which a bar is full at */
export function HitCard({ item, best, actions }: { item: Shown; best?: number; actions: ItemActions }) {
  const name = nameOf(item)
  return (
    <li class="card" data-kind={item.modality} data-item={item.id}>
      <Face item={item} name={name} />
      <div class="caption">
        <KindMark kind={item.modality} />
        <span class="name" title={item.id}>
          {item.modality === 'text' && name === item.id ? 'text' : name}
        </span>
        {item.score !== undefined && <Score score={item.score} best={best ?? 1} />}
      </div>
      <div class="actions">
        {/* Its click area is the card's face, too, where that does not have controls of its own. */}
        <button type="button" class="quiet like" aria-label={`Similar to ${name}`} onClick={() => actions.onLike(item)}>
          Similar
        </button>
        <button type="button" class="quiet" aria-label={`Add ${name} to the query`} onClick={() => actions.onAdd(item)}>
          Add
        </button>
        <button type="button" class="quiet" aria-label={`Look closer at ${name}`} onClick={() => actions.onLook(item)}>
          Look
        </button>
      </div>
    </li>
  )
}

function Face({ item, name }: { item: Shown; name: string }) {
  if (item.modality === 'text') return <StoredText mediaUrl={item.media_url} />
  if (item.modality === 'audio')
    return <StoredPlayer mediaUrl={item.media_url} name={name} segment={secondsOf(item.segment)} />
  return (
    <Thumbnail mediaUrl={item.media_url} alt={name}>
      {item.grounding && <HitBox item={item} grounding={item.grounding} />}
    </Thumbnail>
  )
}

/** A hit's box is in pixels of the original, whose size the item knows. */
function HitBox({ item, grounding }: { item: Shown; grounding: NonNullable<Shown['grounding']> }) {
  const [size, setSize] = useState<{ width: number; height: number }>()
  useEffect(() => {
    const path = item.media_url.replace(/\/media$/, '')
    send<Schemas['Item']>({ method: 'GET', path }, { retries: 2 }).then(
      ({ media: { width = 0, height = 0 } }) => setSize({ width, height }),
      () => setSize(undefined), // deleted meanwhile: then there is no box to draw either
    )
  }, [item.media_url])
  if (!size) return null
  return <Boxes size={size} boxes={[{ box: grounding.box, label: grounding.phrase, colour: 'rgb(213 94 0)' }]} />
}

function StoredText({ mediaUrl }: { mediaUrl: string }) {
  const { blob, failed } = useBytes(mediaUrl)
  const [text, setText] = useState('')
  useEffect(() => void blob?.text().then(setText), [blob])
  return <q class="text">{failed ? failed.message : text}</q>
}

function Score({ score, best }: { score: number; best: number }) {
  const share = Math.max(0, Math.min(1, score / Math.max(best, Number.MIN_VALUE)))
  return (
    <span class="score" title="Cosine of query and item">
      <span class="gauge" style={{ '--share': share }} />
      {score.toFixed(3)}
    </span>
  )
}

function secondsOf(segment: Schemas['Segment'] | undefined) {
  return segment && { startS: segment.start_ms / 1000, endS: segment.end_ms / 1000 }
}

export function Gallery({ items, actions, label }: { items: readonly Shown[]; actions: ItemActions; label: string }) {
  const best = Math.max(...items.map(({ score }) => score ?? 0))
  return (
    <ul class="gallery" aria-label={`${label}: ${counted(items.length, 'item')}`}>
      {items.map((item) => (
        <HitCard key={`${item.id} ${item.segment?.start_ms ?? ''}`} item={item} best={best} actions={actions} />
      ))}
    </ul>
  )
}
