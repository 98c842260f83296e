// Notes in NestJS and TypeORM on pg, with class-validator in and class-transformer out, as its documentation writes them.
// With BENCH_FULL, also with what it recommends for production: a guard that reads a JWT, a throttler, a cache for who
// somebody is, and compression.
import 'reflect-metadata';
import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import {
  Body, CanActivate, ClassSerializerInterceptor, Controller, DefaultValuePipe, ExecutionContext, Get, Inject, Injectable,
  Module, NotFoundException, Param, ParseIntPipe, ParseUUIDPipe, Post, Query, UnauthorizedException, ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { InjectDataSource, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Exclude } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsString, Length, MaxLength } from 'class-validator';
import { Column, CreateDateColumn, DataSource, Entity, PrimaryColumn, Repository, UpdateDateColumn } from 'typeorm';
// @ts-expect-error it has no types of its own
import compression from 'compression';
import { v7 as uuid7 } from 'uuid';

declare const process: { env: Record<string, string> };
const ORG = process.env.BENCH_ORG;

@Entity('notes')
class Note {
  @PrimaryColumn('uuid') id!: string;
  @Exclude() @Column('uuid') org_id!: string;
  @Column('text') title!: string;
  @Column('text') body!: string;
  @Column('text', { array: true }) tags!: string[];
  @Column('bigint', { nullable: true }) words!: number | null;
  @Column('uuid', { nullable: true }) created_by!: string | null;
  @CreateDateColumn({ type: 'timestamptz' }) created_at!: Date;
  @UpdateDateColumn({ type: 'timestamptz' }) updated_at!: Date;
  @Exclude() @Column('boolean', { default: false }) is_deleted!: boolean;
  @Exclude() @Column('timestamptz', { nullable: true }) deleted_at!: Date | null;
}

@Entity('peer_events')
class Event {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid') org_id!: string;
  @Column('text') type!: string;
  @Column('jsonb') data!: object;
  @CreateDateColumn({ type: 'timestamptz' }) created_at!: Date;
}

@Entity('peer_jobs')
class Job {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') kind!: string;
  @Column('jsonb') payload!: object;
  @CreateDateColumn({ type: 'timestamptz' }) created_at!: Date;
}

class NewNote {
  @IsString() @Length(1, 200) title!: string;
  @IsString() @MaxLength(100_000) body: string = '';
  @IsArray() @ArrayMaxSize(20) @IsString({ each: true }) tags: string[] = [];
}

@Controller('notes')
class NotesController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    @InjectDataSource() private readonly source: DataSource,
  ) {}

  @Get()
  list(@Query('limit', new DefaultValuePipe(20), ParseIntPipe) limit: number): Promise<Note[]> {
    return this.notes.find({ order: { id: 'DESC' }, take: Math.min(limit, 100) });
  }

  @Get(':id')
  async read(@Param('id', ParseUUIDPipe) id: string): Promise<Note> {
    const note = await this.notes.findOneBy({ id });
    if (note === null) throw new NotFoundException();
    return note;
  }

  @Post()
  create(@Body() given: NewNote): Promise<Note> {
    return this.source.transaction(async (manager) => {
      const note = manager.create(Note, { ...given, id: uuid7(), org_id: ORG, words: null, created_by: null });
      await manager.insert(Note, note); // `save` would look for the row first
      const data = { note_id: note.id, title: note.title };
      await manager.insert(Event, { id: uuid7(), org_id: ORG, type: 'note.created', data });
      await manager.insert(Job, { id: uuid7(), kind: 'note.created', payload: { note_id: note.id } });
      return note;
    });
  }
}

interface Cache {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttl: number): Promise<unknown>;
}

@Injectable()
class TokenGuard implements CanActivate {
  constructor(private readonly jwt: JwtService, @Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest();
    const [kind, token] = (request.headers.authorization ?? '').split(' ');
    if (kind !== 'Bearer') throw new UnauthorizedException();
    const claims = await this.jwt.verifyAsync(token).catch(() => { throw new UnauthorizedException(); });
    let person = await this.cache.get(`person:${claims.user_id}`);
    if (person === undefined || person === null) {
      person = { id: claims.user_id, roles: ['owner'] };
      await this.cache.set(`person:${claims.user_id}`, person, 60_000);
    }
    request.user = person;
    return true;
  }
}

const full = process.env.BENCH_FULL !== undefined;
const guarded = [
  JwtModule.register({ global: true, secret: process.env.BENCH_SECRET }),
  CacheModule.register({ isGlobal: true }),
  ThrottlerModule.forRoot([{ ttl: 60_000, limit: 100_000_000 }]),
];
const guards = [
  { provide: APP_GUARD, useClass: ThrottlerGuard },
  { provide: APP_GUARD, useClass: TokenGuard },
];

@Module({
  providers: full ? guards : [],
  imports: [
    ...(full ? guarded : []),
    TypeOrmModule.forRoot({
      type: 'postgres',
      host: process.env.PGHOST,
      port: Number(process.env.PGPORT),
      username: process.env.PGUSER,
      database: process.env.PGDATABASE,
      entities: [Note, Event, Job],
      poolSize: 16,
      parseInt8: true,
    }),
    TypeOrmModule.forFeature([Note]),
  ],
  controllers: [NotesController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
if (full) app.use(compression());
app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector)));
await app.listen(Number(process.env.PORT), '127.0.0.1');
