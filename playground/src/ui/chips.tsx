/** The parts of the query, each with its weight. */
import { MAX_WEIGHT, type Part, signed, stepped } from '../logic/parts.ts'
import { useObjectUrl } from './hooks.ts'

interface ChipsProps {
  parts: readonly Part[]
  onChange(parts: Part[]): void
}

export function Chips({ parts, onChange }: ChipsProps) {
  if (parts.length === 0) return null
  return (
    <ul class="chips" aria-label="Parts of the query">
      {parts.map((part) => (
        <Chip
          key={part.key}
          part={part}
          onWeight={(weight) => onChange(parts.map((each) => (each === part ? { ...each, weight } : each)))}
          onRemove={() => onChange(parts.filter((each) => each !== part))}
        />
      ))}
    </ul>
  )
}

function Chip({ part, onWeight, onRemove }: { part: Part; onWeight(weight: number): void; onRemove(): void }) {
  const name = part.kind === 'text' ? part.text : part.name
  const { weight } = part
  return (
    <li class={weight < 0 ? 'chip away' : 'chip'} data-kind={part.kind}>
      <Sight part={part} />
      <span class="name" title={name}>
        {name}
      </span>
      <span class="stepper">
        <button
          type="button"
          aria-label={`Less of ${name}`}
          disabled={weight <= -MAX_WEIGHT}
          onClick={() => onWeight(stepped(weight, -1))}
        >
          −
        </button>
        <output aria-label={`Weight of ${name}`}>{signed(weight)}</output>
        <button
          type="button"
          aria-label={`More of ${name}`}
          disabled={weight >= MAX_WEIGHT}
          onClick={() => onWeight(stepped(weight, 1))}
        >
          +
        </button>
      </span>
      <button type="button" class="remove" aria-label={`Remove ${name}`} onClick={onRemove}>
        ×
      </button>
    </li>
  )
}

function Sight({ part }: { part: Part }) {
  const url = useObjectUrl(part.kind === 'image' ? part.file : undefined)
  if (part.kind === 'image' && url) return <img src={url} alt="" />
  return <KindMark kind={part.kind} />
}

const MARKS = {
  text: 'M3 4h10M8 4v9',
  audio: 'M3 6v4M5.5 4v8M8 2v12M10.5 5v6M13 6.5v3',
  image: 'M2.5 3.5h11v9h-11zM3 11l3.5-3.5 2.5 2.5 2-2 2.5 2.5M10.5 6h.01',
  file: 'M4 2h5l3 3v9H4zM9 2v3h3',
}

export function KindMark({ kind }: { kind: keyof typeof MARKS }) {
  return (
    <svg class="kind" data-kind={kind} viewBox="0 0 16 16" aria-hidden="true">
      <path d={MARKS[kind]} />
    </svg>
  )
}
