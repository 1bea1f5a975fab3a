BEGIN TRANSACTION;
CREATE TABLE about (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "about" VALUES('schema_version','1');
INSERT INTO "about" VALUES('store_id','056bbf35afab');
CREATE TABLE classes (
	tenant VARCHAR NOT NULL, 
	record_id VARCHAR NOT NULL, 
	record TEXT NOT NULL, 
	withdrawn_us BIGINT, 
	PRIMARY KEY (tenant, record_id)
);
INSERT INTO "classes" VALUES('school','7b','{"class_id":"7b","course_id":null,"title":null,"starts_at":null,"ends_at":null}',NULL);
CREATE TABLE decisions (
	tenant VARCHAR NOT NULL, 
	seq BIGINT NOT NULL, 
	slot INTEGER NOT NULL, 
	decision_id VARCHAR NOT NULL, 
	at_us BIGINT NOT NULL, 
	learner_id VARCHAR NOT NULL, 
	class_id VARCHAR, 
	resource_id VARCHAR, 
	score FLOAT, 
	propensity FLOAT, 
	origin VARCHAR, 
	mode VARCHAR NOT NULL, 
	bundle VARCHAR NOT NULL, 
	catalogue_hash VARCHAR NOT NULL, 
	near_ties TEXT NOT NULL, 
	PRIMARY KEY (tenant, seq, slot)
)
 WITHOUT ROWID

;
INSERT INTO "decisions" VALUES('school',5,1,'d1',1788251400000000,'lena',NULL,'r1',1.0,0.5,'model','cold','b','c','[]');
CREATE TABLE interactions (
	tenant VARCHAR NOT NULL, 
	learner_id VARCHAR NOT NULL, 
	seq BIGINT NOT NULL, 
	event_id VARCHAR NOT NULL, 
	resource_id VARCHAR, 
	at_us BIGINT, 
	"order" BIGINT, 
	kind VARCHAR NOT NULL, 
	outcome FLOAT, 
	duration_s FLOAT, 
	item_id VARCHAR, 
	skills TEXT, 
	class_id VARCHAR, 
	decision_id VARCHAR, 
	with_learner_ids TEXT, 
	group_id VARCHAR, 
	value TEXT, 
	voids VARCHAR, 
	source VARCHAR NOT NULL, 
	content_hash BIGINT NOT NULL, 
	PRIMARY KEY (tenant, learner_id, seq), 
	UNIQUE (event_id, tenant), 
	UNIQUE (tenant, seq)
)
 WITHOUT ROWID

;
INSERT INTO "interactions" VALUES('school','kim',1,'e0','r0',1788251400000000,NULL,'completed',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'app',-817132063771487671);
INSERT INTO "interactions" VALUES('school','kim',3,'e2','r2',1788251400000000,NULL,'completed',NULL,NULL,NULL,NULL,'7b',NULL,NULL,NULL,NULL,NULL,'app',8152346746736104094);
INSERT INTO "interactions" VALUES('school','lena',2,'e1','r1',1788251400000000,NULL,'completed',NULL,NULL,NULL,NULL,'7b',NULL,NULL,NULL,NULL,NULL,'app',6186313079852266825);
INSERT INTO "interactions" VALUES('school','lena',4,'e3','r3',1788251400000000,NULL,'completed',NULL,NULL,NULL,NULL,'7b',NULL,NULL,NULL,NULL,NULL,'app',5182433375979058499);
CREATE TABLE keys (
	key_id VARCHAR NOT NULL, 
	tenant VARCHAR NOT NULL, 
	scopes TEXT NOT NULL, 
	secret_hash VARCHAR NOT NULL, 
	created_us BIGINT NOT NULL, 
	revoked_us BIGINT, 
	PRIMARY KEY (key_id)
);
INSERT INTO "keys" VALUES('0123456789ab','school','events','00',1788251400000000,NULL);
CREATE TABLE learner_states (
	tenant VARCHAR NOT NULL, 
	learner_id VARCHAR NOT NULL, 
	seq BIGINT NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (tenant, learner_id)
);
INSERT INTO "learner_states" VALUES('school','lena',4,X'007374617465');
CREATE TABLE learners (
	tenant VARCHAR NOT NULL, 
	record_id VARCHAR NOT NULL, 
	record TEXT NOT NULL, 
	withdrawn_us BIGINT, 
	PRIMARY KEY (tenant, record_id)
);
INSERT INTO "learners" VALUES('school','lena','{"learner_id":"lena","classes":["7b"],"features":[],"subgroups":[],"access_needs":[],"languages":[],"sharing":null}',NULL);
CREATE TABLE resources (
	tenant VARCHAR NOT NULL, 
	record_id VARCHAR NOT NULL, 
	record TEXT NOT NULL, 
	withdrawn_us BIGINT, 
	PRIMARY KEY (tenant, record_id)
);
INSERT INTO "resources" VALUES('school','r1','{"resource_id":"r1","title":"One","format":"other","skills":[],"minutes":null,"position":null,"language":null,"grade_min":null,"grade_max":null,"tags":[],"access":[],"available_from":null,"available_until":null,"url":null}',NULL);
CREATE TABLE skills (
	tenant VARCHAR NOT NULL, 
	record_id VARCHAR NOT NULL, 
	record TEXT NOT NULL, 
	withdrawn_us BIGINT, 
	PRIMARY KEY (tenant, record_id)
);
CREATE TABLE tenants (
	tenant VARCHAR NOT NULL, 
	seq BIGINT NOT NULL, 
	catalogue_version BIGINT NOT NULL, 
	PRIMARY KEY (tenant)
);
INSERT INTO "tenants" VALUES('school',5,1);
CREATE INDEX interactions_by_class ON interactions (tenant, class_id, learner_id) WHERE class_id IS NOT NULL;
CREATE INDEX decisions_by_learner ON decisions (tenant, learner_id);
CREATE INDEX ix_keys_tenant ON keys (tenant);
COMMIT;
