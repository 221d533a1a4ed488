/** Pictures of the API and of the reader, with boxes and masks over them. */
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { thumbnailOf } from '../api/media.ts'
import { useBytes, useObjectUrl, useSeen } from './hooks.ts'

const THUMBNAIL_PX = 320

export interface DrawnBox {
  box: Schemas['Box']
  label: string
  colour: string
}

/** @param boxes in pixels of `size`, the picture as it is shown */
export function Boxes({ size, boxes }: { size: { width: number; height: number }; boxes: readonly DrawnBox[] }) {
  return (
    <svg class="boxes" viewBox={`0 0 ${size.width} ${size.height}`} preserveAspectRatio="none" aria-hidden="true">
      {boxes.map(({ box, colour, label }) => {
        // A head's corners may come in any order.
        const x = Math.min(box.x1, box.x2)
        const y = Math.min(box.y1, box.y2)
        const sides = { x, y, width: Math.abs(box.x2 - box.x1), height: Math.abs(box.y2 - box.y1) }
        return (
          <g key={label} data-phrase={label}>
            <rect {...sides} class="halo" />
            <rect {...sides} class="edge" stroke={colour} />
          </g>
        )
      })}
    </svg>
  )
}

/** A picture at hand, as large as there is room, with what is drawn over it. */
export function Canvas({ file, alt, children }: { file: Blob; alt: string; children?: ComponentChildren }) {
  const url = useObjectUrl(file)
  return (
    <div class="canvas">
      {url && <img src={url} alt={alt} />}
      {children}
    </div>
  )
}

export function Thumbnail({
  mediaUrl,
  alt,
  children,
}: {
  mediaUrl: string
  alt: string
  children?: ComponentChildren
}) {
  const frame = useRef<HTMLDivElement>(null)
  const seen = useSeen(frame)
  const { blob, failed } = useBytes(seen ? thumbnailOf(mediaUrl, THUMBNAIL_PX) : undefined)
  const url = useObjectUrl(blob)
  return (
    <div ref={frame} class={url ? 'thumbnail' : 'thumbnail waiting'}>
      {url && (
        <div class="fitted">
          <img src={url} alt={alt} />
          {children}
        </div>
      )}
      {failed && <p class="small">{failed.message}</p>}
    </div>
  )
}
