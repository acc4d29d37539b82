#include "storage/rocksdb/catalog.h"

#include <memory>
#include <string>
#include <string_view>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "storage/rocksdb/options.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr uint32_t kFormat = 2;
constexpr std::string_view kExtents = "extents/";

std::string Number(uint64_t value, int bytes) {
  std::string out;
  AppendNumber(value, bytes, &out);
  return out;
}

std::string ExtentsKey(uint32_t segment) { return std::string(kExtents) + Number(segment, 4); }

absl::Status Damaged(const char* what) {
  return CorruptStore("", absl::StrCat(what, " is not what Winnow wrote"));
}

// A number of the meta column family.
absl::StatusOr<uint64_t> ReadMetaNumber(const Database& database, const char* key, int bytes) {
  std::string value;
  const rocksdb::Status status =
      database.db()->Get(rocksdb::ReadOptions(), database.meta(), key, &value);
  if (status.IsNotFound() || (status.ok() && value.size() != static_cast<size_t>(bytes))) {
    return Damaged(key);
  }
  if (!status.ok()) return FromRocksdb(status, absl::StrCat("reading ", key));
  return ReadNumber(value.data(), bytes);
}

std::unique_ptr<rocksdb::Iterator> All(const Database& database,
                                       rocksdb::ColumnFamilyHandle* family) {
  return std::unique_ptr<rocksdb::Iterator>(database.db()->NewIterator(ScanOptions(), family));
}

// Where a directory's numbers begin: those of one that was here before must not come again.
uint64_t RandomNumber() {
  absl::BitGen random;
  return absl::Uniform<uint64_t>(random, 1, kContextNumbers / 2);
}

absl::Status WriteFormat(Database* database) {
  rocksdb::WriteBatch batch;
  batch.Put(database->meta(), "format", Number(kFormat, 4));
  PutNextNumber(*database, RandomNumber(), &batch);
  batch.Put(database->meta(), "closed", Number(0, 4));
  return database->Write(&batch, WriteMode::kSynced);
}

absl::Status CheckFormat(const Database& database) {
  const auto format = ReadMetaNumber(database, "format", 4);
  if (!format.ok()) return format.status();
  if (*format == kFormat) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
               absl::StrCat("the data directory has version ", *format,
                            "; this program reads version ", kFormat));
}

absl::Status ReadExtents(const Database& database, Meta* meta) {
  const auto i = All(database, database.meta());
  for (i->Seek(std::string(kExtents)); i->Valid() && i->key().starts_with(std::string(kExtents));
       i->Next()) {
    const rocksdb::Slice value = i->value();
    if (i->key().size() != kExtents.size() + 4 || value.size() % 16 != 0) return Damaged("extents");
    const uint32_t segment =
        static_cast<uint32_t>(ReadNumber(i->key().data() + kExtents.size(), 4));
    for (size_t at = 0; at < value.size(); at += 16) {
      meta->extent_bytes[{segment, ReadNumber(value.data() + at, 8)}] =
          ReadNumber(value.data() + at + 8, 8);
    }
  }
  return FromRocksdb(i->status(), "reading extents");
}

}  // namespace

absl::StatusOr<bool> IsEmpty(const Database& database) {
  std::string value;
  const rocksdb::Status format =
      database.db()->Get(rocksdb::ReadOptions(), database.meta(), "format", &value);
  if (!format.IsNotFound()) {
    if (format.ok()) return false;
    return FromRocksdb(format, "reading the format");
  }
  const auto contexts = All(database, database.contexts());
  contexts->SeekToFirst();
  if (!contexts->status().ok()) return FromRocksdb(contexts->status(), "reading contexts");
  return !contexts->Valid();
}

absl::StatusOr<Meta> ReadMeta(Database* database) {
  if (database->is_new()) {
    if (absl::Status status = WriteFormat(database); !status.ok()) return status;
  }
  if (absl::Status status = CheckFormat(*database); !status.ok()) return status;
  Meta meta;
  const auto next = ReadMetaNumber(*database, "next_number", 8);
  if (!next.ok()) return next.status();
  if (*next >= kContextNumbers) return Damaged("the next number of a context");
  meta.next_number = *next;
  const auto closed = ReadMetaNumber(*database, "closed", 4);
  if (!closed.ok()) return closed.status();
  meta.closed = static_cast<uint32_t>(*closed);
  if (absl::Status status = ReadExtents(*database, &meta); !status.ok()) return status;
  return meta;
}

absl::StatusOr<std::vector<ContextRecord>> ReadContexts(const Database& database) {
  std::vector<ContextRecord> records;
  const auto i = All(database, database.contexts());
  for (i->SeekToFirst(); i->Valid(); i->Next()) {
    auto record = DecodeContextRecord(i->value().ToStringView());
    if (!record.ok()) return record.status();
    if (i->key().ToStringView() != Number(record->number, 8)) return Damaged("a context's number");
    records.push_back(*std::move(record));
  }
  if (!i->status().ok()) return FromRocksdb(i->status(), "reading contexts");
  return records;
}

absl::StatusOr<std::vector<RunRecord>> ReadRuns(const Database& database) {
  std::vector<RunRecord> runs;
  const auto i = All(database, database.runs());
  for (i->SeekToFirst(); i->Valid(); i->Next()) {
    RunRecord run;
    if (!DecodeRunKey(i->key(), &run.key) || i->value().size() != 12) return Damaged("a run");
    run.extent_number = ReadNumber(i->value().data(), 8);
    run.segment = static_cast<uint32_t>(ReadNumber(i->value().data() + 8, 4));
    runs.push_back(run);
  }
  if (!i->status().ok()) return FromRocksdb(i->status(), "reading runs");
  return runs;
}

void PutNextNumber(const Database& database, uint64_t next, rocksdb::WriteBatch* batch) {
  batch->Put(database.meta(), "next_number", Number(next, 8));
}

void PutClosed(const Database& database, uint32_t segment,
               std::span<const std::pair<uint64_t, uint64_t>> extents, rocksdb::WriteBatch* batch) {
  std::string value;
  for (const auto& [number, bytes] : extents) {
    AppendNumber(number, 8, &value);
    AppendNumber(bytes, 8, &value);
  }
  if (!value.empty()) batch->Put(database.meta(), ExtentsKey(segment), value);
  batch->Put(database.meta(), "closed", Number(segment, 4));
}

void DeleteExtents(const Database& database, uint32_t segment, rocksdb::WriteBatch* batch) {
  batch->Delete(database.meta(), ExtentsKey(segment));
}

void PutContext(const Database& database, const ContextRecord& record, rocksdb::WriteBatch* batch) {
  batch->Put(database.contexts(), Number(record.number, 8), EncodeContextRecord(record));
}

void PutRun(const Database& database, const RunRecord& run, rocksdb::WriteBatch* batch) {
  batch->Put(database.runs(), EncodeRunKey(run.key),
             Number(run.extent_number, 8) + Number(run.segment, 4));
}

void PutStripe(const Database& database, uint64_t number, const StoredStripe& stripe,
               rocksdb::WriteBatch* batch) {
  for (size_t layer = 0; layer < stripe.layers.size(); ++layer) {
    for (const StoredRun& run : stripe.layers[layer]) {
      PutRun(database,
             {{number, stripe.stripe, static_cast<int>(layer), run.end},
              run.extent->context_number(),
              run.extent->segment()},
             batch);
    }
  }
}

absl::Status DeleteContext(const Database& database, uint64_t number, rocksdb::WriteBatch* batch) {
  batch->Delete(database.contexts(), Number(number, 8));
  const std::string prefix = Number(number, 8);
  const std::string next = Number(number + 1, 8);
  // Or it would read on over all that was deleted of later contexts.
  const rocksdb::Slice end(next);
  rocksdb::ReadOptions options = ScanOptions();
  options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> i(database.db()->NewIterator(options, database.runs()));
  for (i->Seek(prefix); i->Valid(); i->Next()) {
    batch->Delete(database.runs(), i->key());
  }
  return FromRocksdb(i->status(), "reading runs");
}

}  // namespace winnow
